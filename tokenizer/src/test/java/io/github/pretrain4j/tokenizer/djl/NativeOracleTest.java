package io.github.pretrain4j.tokenizer.djl;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import io.github.pretrain4j.tokenizer.Encoder;
import io.github.pretrain4j.tokenizer.TokenBuffer;
import io.github.pretrain4j.tokenizer.TokenizerOptions;
import io.github.pretrain4j.tokenizer.UnigramScores;
import io.github.pretrain4j.tokenizer.sentencepiece.SentencePieceModel;
import io.github.pretrain4j.tokenizer.sentencepiece.SentencePieceTokenizer;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestFactory;

/**
 * Our engine against the C++ library on adversarial strings: ids from characters and from UTF-8
 * bytes, pieces, refusals. The long run, 200,000 strings a model:
 *
 * <pre>mvn -pl tokenizer test -Dtest=NativeOracleTest -Dtest.oracle.strings=200000</pre>
 *
 * <p>Add {@code -Dtest.oracle.models=FOLDER} for every {@code .model} file of a folder as well.
 */
class NativeOracleTest {
  private static final List<String> SHARED =
      List.of("mistral-v1", "mistral-v2", "mistral-v3", "sp-unigram-2k");

  private static final int STRINGS_PER_SEED = 500;
  private static final int SEEDS =
      Math.max(1, Integer.getInteger("test.oracle.strings", 2000) / STRINGS_PER_SEED);

  private static LongStream seeds() {
    Long replay = Long.getLong("test.seed");
    return replay == null ? LongStream.range(0, SEEDS) : LongStream.of(replay);
  }

  @TestFactory
  Stream<DynamicTest> goldenModels() throws IOException, URISyntaxException {
    Path golden = Path.of(Objects.requireNonNull(getClass().getResource("/golden")).toURI());
    return tests(models(golden));
  }

  @TestFactory
  @Tag("shared")
  Stream<DynamicTest> sharedModels() throws IOException {
    for (Path at = Path.of("").toAbsolutePath(); at != null; at = at.getParent()) {
      Path tokenizers = at.resolve("shared/golden/tokenizers");
      if (Files.isDirectory(tokenizers)) {
        Map<String, Path> models = models(tokenizers);
        models.keySet().retainAll(SHARED);
        return tests(models);
      }
    }
    return Stream.of();
  }

  @TestFactory
  Stream<DynamicTest> namedModels() throws IOException {
    String folder = System.getProperty("test.oracle.models");
    return folder == null ? Stream.of() : tests(models(Path.of(folder)));
  }

  /** Name to file of all models in a folder, and in its folders. */
  private static Map<String, Path> models(Path folder) throws IOException {
    Map<String, Path> found = new TreeMap<>();
    try (DirectoryStream<Path> entries = Files.newDirectoryStream(folder)) {
      for (Path entry : entries) {
        Path inside = entry.resolve("tokenizer.model");
        if (Files.exists(inside)) {
          found.put(entry.getFileName().toString(), inside);
        } else if (entry.toString().endsWith(".model")) {
          found.put(entry.getFileName().toString(), entry);
        }
      }
    }
    return found;
  }

  private static Stream<DynamicTest> tests(Map<String, Path> models) {
    return models.entrySet().stream()
        .map(model -> dynamicTest(model.getKey(), () -> agree(model.getValue())));
  }

  private static void agree(Path file) throws IOException {
    SentencePieceModel model = SentencePieceModel.read(file);
    SentencePieceTokenizer engine =
        SentencePieceTokenizer.of(
            model, TokenizerOptions.defaults().withUnigramScores(UnigramScores.MIXED_PRECISION));
    NativeSentencePiece library = NativeSentencePiece.load(Files.readAllBytes(file));
    Encoder encoder = engine.newEncoder(); // one for all strings: its cache must not show
    seeds()
        .forEach(
            seed -> {
              AdversarialText texts = new AdversarialText(model, seed);
              for (int i = 0; i < STRINGS_PER_SEED; i++) {
                String text = texts.next();
                String where = "-Dtest.seed=" + seed + ", string " + i + ": " + escaped(text);
                agree(library, engine, encoder, text, where);
              }
            });
  }

  private static void agree(
      NativeSentencePiece library,
      SentencePieceTokenizer engine,
      Encoder encoder,
      String text,
      String where) {
    String valid = DjlSentencePieceTokenizer.wellFormed(text);
    int[] expected;
    try {
      expected = library.encode(valid);
    } catch (IllegalArgumentException e) {
      assertThrows(IllegalArgumentException.class, () -> engine.encode(text), where);
      return;
    }
    TokenBuffer ids = new TokenBuffer(16);
    encoder.encode(text, ids);
    assertArrayEquals(expected, ids.toArray(), where);
    byte[] utf8 = valid.getBytes(StandardCharsets.UTF_8);
    ids.clear();
    encoder.encodeUtf8(utf8, 0, utf8.length, ids);
    assertArrayEquals(expected, ids.toArray(), where);
    assertEquals(List.of(library.tokenize(valid)), engine.encodePieces(text), where);
  }

  private static String escaped(String text) {
    StringBuilder escaped = new StringBuilder();
    text.chars()
        .forEach(
            c -> escaped.append(c >= ' ' && c < 0x7F ? Character.toString(c) : unicodeEscape(c)));
    return escaped.toString();
  }

  private static String unicodeEscape(int c) {
    return String.format("\\u%04X", c);
  }
}
