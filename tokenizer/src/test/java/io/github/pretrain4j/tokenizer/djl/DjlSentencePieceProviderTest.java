package io.github.pretrain4j.tokenizer.djl;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.github.pretrain4j.tokenizer.CorruptTokenizerException;
import io.github.pretrain4j.tokenizer.Encoder;
import io.github.pretrain4j.tokenizer.SpecialTokens;
import io.github.pretrain4j.tokenizer.StreamingDecoder;
import io.github.pretrain4j.tokenizer.TokenBuffer;
import io.github.pretrain4j.tokenizer.Tokenizer;
import io.github.pretrain4j.tokenizer.TokenizerOptions;
import io.github.pretrain4j.tokenizer.Tokenizers;
import io.github.pretrain4j.tokenizer.UnsupportedTokenizerException;
import io.github.pretrain4j.tokenizer.sentencepiece.SentencePieceTokenizer;
import java.io.File;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.net.URISyntaxException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What the wrapper must not inherit from DJL: wrong texts, dead processes, missing answers. */
class DjlSentencePieceProviderTest {
  private static final TokenizerOptions BY_NAME =
      TokenizerOptions.defaults().withProvider("djl-sentencepiece");

  private static Path golden(String name) throws URISyntaxException {
    return Path.of(
        Objects.requireNonNull(DjlSentencePieceProviderTest.class.getResource("/golden/" + name))
            .toURI());
  }

  private static List<JsonNode> lines(Path file) throws IOException {
    List<JsonNode> lines = new ArrayList<>();
    for (String line : Files.readAllLines(file)) {
      lines.add(new ObjectMapper().readTree(line));
    }
    return lines;
  }

  private static int[] ids(JsonNode line) {
    return new ObjectMapper().convertValue(line.get("ids"), int[].class);
  }

  @Test
  void isChosenByNameOnly() throws Exception {
    Path folder = golden("sp-bpe-bytefallback-1k");
    assertInstanceOf(SentencePieceTokenizer.class, Tokenizers.load(folder));
    assertInstanceOf(DjlSentencePieceTokenizer.class, Tokenizers.load(folder, BY_NAME));
  }

  @ParameterizedTest
  @ValueSource(strings = {"sp-bpe-bytefallback-1k", "sp-bpe-nodummy-usersym"})
  void answersAsTheGoldenFiles(String name) throws Exception {
    Path folder = golden(name);
    Tokenizer tokenizer = Tokenizers.load(folder, BY_NAME);
    Tokenizer ours = Tokenizers.load(folder);
    Encoder encoder = tokenizer.newEncoder();
    for (JsonNode line : lines(folder.resolve("ids.jsonl"))) {
      String text = line.get("text").asText();
      assertArrayEquals(ids(line), tokenizer.encode(text));
      TokenBuffer buffer = new TokenBuffer(0);
      buffer.add(7);
      assertEquals(ids(line).length, encoder.encode(text, buffer));
      assertEquals(1 + ids(line).length, buffer.length());
      assertEquals(line.get("decoded").asText(), tokenizer.decode(ids(line)));
    }
    for (JsonNode line : lines(folder.resolve("decode.jsonl"))) {
      StreamingDecoder decoder = tokenizer.streamingDecoder();
      StringBuilder text = new StringBuilder();
      for (int id : ids(line)) {
        text.append(decoder.accept(id));
      }
      assertEquals(line.get("decoded").asText(), text.append(decoder.finish()).toString());
    }
    for (JsonNode line : lines(folder.resolve("invalid_utf8.jsonl"))) {
      byte[] bytes = Base64.getDecoder().decode(line.get("bytes_base64").asText());
      TokenBuffer buffer = new TokenBuffer(0);
      encoder.encodeUtf8(bytes, 0, bytes.length, buffer);
      assertArrayEquals(ids(line), buffer.toArray());
    }
    assertEquals(ours.vocabularySize(), tokenizer.vocabularySize());
    assertEquals(ours.bosId(), tokenizer.bosId());
    assertEquals(ours.eosId(), tokenizer.eosId());
    assertEquals(ours.padId(), tokenizer.padId());
    assertEquals(ours.unkId(), tokenizer.unkId());
    assertEquals(ours.eodId(), tokenizer.eodId());
    assertEquals(ours.sha256(), tokenizer.sha256());
    assertEquals(ours.piece(5), tokenizer.piece(5));
    assertEquals(ours.id("<s>"), tokenizer.id("<s>"));
    assertEquals(ours.isSpecial(1), tokenizer.isSpecial(1));
  }

  @Test
  void keepsSupplementaryCharactersAndNul() throws Exception {
    Tokenizer tokenizer = Tokenizers.load(golden("sp-bpe-bytefallback-1k"), BY_NAME);
    String text = "a\u0000b \uD83D\uDE00 after";
    assertEquals(text, tokenizer.decode(tokenizer.encode(text)));
  }

  @Test
  void loneSurrogatesCountAsReplacementCharacter() throws Exception {
    Tokenizer tokenizer = Tokenizers.load(golden("sp-bpe-bytefallback-1k"), BY_NAME);
    String text = "\uDC00a\uD83D\uDE00\uD83Db\uD800";
    String valid = "\uFFFDa\uD83D\uDE00\uFFFDb\uFFFD";
    assertEquals(valid, DjlSentencePieceTokenizer.wellFormed(text));
    assertArrayEquals(tokenizer.encode(valid), tokenizer.encode(text));
  }

  @Test
  void refusesIdsOutOfRange() throws Exception {
    Tokenizer tokenizer = Tokenizers.load(golden("sp-bpe-bytefallback-1k"), BY_NAME);
    for (int id : new int[] {-1, tokenizer.vocabularySize(), Integer.MAX_VALUE}) {
      assertThrows(IllegalArgumentException.class, () -> tokenizer.piece(id));
      assertThrows(IllegalArgumentException.class, () -> tokenizer.decode(new int[] {id}));
      assertThrows(IllegalArgumentException.class, () -> tokenizer.isSpecial(id));
      assertThrows(IllegalArgumentException.class, () -> tokenizer.streamingDecoder().accept(id));
    }
  }

  @Test
  void refusesToMatchSpecialTokens() throws Exception {
    Path folder = golden("sp-bpe-bytefallback-1k");
    Tokenizers.load(folder, BY_NAME.withSpecialTokens(SpecialTokens.AS_TEXT));
    assertThrows(
        UnsupportedTokenizerException.class,
        () -> Tokenizers.load(folder, BY_NAME.withSpecialTokens(SpecialTokens.MATCH)));
  }

  @Test
  void damagedModelsNeverReachTheLibrary(@TempDir Path folder) throws IOException {
    Path file = Files.write(folder.resolve("tokenizer.model"), new byte[] {10, 3, 10, 9, 'a'});
    assertThrows(CorruptTokenizerException.class, () -> Tokenizers.load(file, BY_NAME));
  }

  @Test
  void forgottenTokenizersAreFreedAndUsedOnesAreNot() throws Exception {
    Path folder = golden("sp-bpe-nodummy-usersym");
    Tokenizer kept = Tokenizers.load(folder, BY_NAME);
    int[] expected = kept.encode("some text");
    for (int i = 0; i < 50; i++) {
      assertArrayEquals(expected, Tokenizers.load(folder, BY_NAME).encode("some text"));
      if (i % 10 == 9) {
        System.gc();
      }
      assertArrayEquals(expected, kept.encode("some text"));
    }
  }

  /** Twice, because a class that failed to link fails differently the second time. */
  @Test
  void withoutDjlOnlyThisProviderFails() throws Exception {
    try (URLClassLoader loader = new WithoutDjl()) {
      Class<?> options = loader.loadClass(TokenizerOptions.class.getName());
      Object defaults = options.getMethod("defaults").invoke(null);
      Object byName =
          options.getMethod("withProvider", String.class).invoke(defaults, "djl-sentencepiece");
      Method load =
          loader.loadClass(Tokenizers.class.getName()).getMethod("load", Path.class, options);
      Path folder = golden("sp-bpe-bytefallback-1k");
      for (int time = 0; time < 2; time++) {
        load.invoke(null, folder, defaults);
        Throwable failure =
            Objects.requireNonNull(
                assertThrows(
                        InvocationTargetException.class, () -> load.invoke(null, folder, byName))
                    .getCause());
        assertEquals(
            "io.github.pretrain4j.tokenizer.UnavailableException", failure.getClass().getName());
        String message = String.valueOf(failure.getMessage());
        assertTrue(message.contains("add ai.djl.sentencepiece:sentencepiece"), message);
      }
    }
  }

  /** The class path of this test, less DJL. */
  private static final class WithoutDjl extends URLClassLoader {
    WithoutDjl() throws IOException {
      super(classPath(), ClassLoader.getPlatformClassLoader());
    }

    private static URL[] classPath() throws IOException {
      List<URL> urls = new ArrayList<>();
      for (String entry : System.getProperty("java.class.path").split(File.pathSeparator, -1)) {
        urls.add(Path.of(entry).toUri().toURL());
      }
      return urls.toArray(URL[]::new);
    }

    @Override
    protected Class<?> findClass(String name) throws ClassNotFoundException {
      if (name.startsWith("ai.djl.")) {
        throw new ClassNotFoundException(name);
      }
      return super.findClass(name);
    }
  }
}
