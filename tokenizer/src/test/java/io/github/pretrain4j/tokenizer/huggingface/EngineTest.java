package io.github.pretrain4j.tokenizer.huggingface;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeout;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.pretrain4j.tokenizer.Encoder;
import io.github.pretrain4j.tokenizer.OffsetUnit;
import io.github.pretrain4j.tokenizer.StreamingDecoder;
import io.github.pretrain4j.tokenizer.TokenBuffer;
import io.github.pretrain4j.tokenizer.Tokenizer;
import io.github.pretrain4j.tokenizer.TokenizerOptions;
import io.github.pretrain4j.tokenizer.Tokenizers;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What must hold for every text: cache, threads, cuts, streaming, long and malformed input. */
class EngineTest {
  private static final String[] WORDS = {
    "the",
    " word",
    "  ",
    "\n",
    "'s",
    "123",
    "世界",
    "床前明月光",
    "，",
    "。\n",
    "é",
    "e\u0301",
    "한국",
    "\u1112\u1161\u11ab",
    "😀",
    "👨\u200d👩\u200d👧",
    "<|endoftext|>",
    "<|im_start|>",
    "\u0000",
    "שלום",
    "a\u0323\u0307",
    "\u3000",
    "abcdefghijklmnopqrstuvwxyz",
    "...",
    "\t\t",
    "Ünïcödé",
    "\u017f",
    "½"
  };

  @TempDir private Path folder = Path.of("");

  static LongStream seeds() {
    return Golden.seeds(100);
  }

  private static String text(SplittableRandom random) {
    StringBuilder text = new StringBuilder();
    for (int n = random.nextInt(1, 40); n > 0; n--) {
      if (random.nextInt(8) == 0) {
        text.append(Character.toString(random.nextInt(0x20, 0xD800)));
      } else {
        text.append(WORDS[random.nextInt(WORDS.length)].repeat(random.nextInt(1, 4)));
      }
    }
    return text.toString();
  }

  @ParameterizedTest(name = "-Dtest.seed={0}")
  @MethodSource("seeds")
  void idsDependOnTheTextAlone(long seed) throws IOException {
    SplittableRandom random = new SplittableRandom(seed);
    String model = Golden.MODELS.get((int) (seed % Golden.MODELS.size()));
    HuggingFaceTokenizer tokenizer = Golden.load(model);
    Encoder encoder = tokenizer.newEncoder();
    Encoder forgetful =
        Golden.load(model, TokenizerOptions.defaults().withCacheSlots(16)).newEncoder();
    TokenBuffer out = new TokenBuffer(0);
    for (int i = 0; i < 20; i++) {
      String text = text(random);
      // The aligned way has neither cache nor cuts.
      int[] plain = tokenizer.encode(text, OffsetUnit.UTF8_BYTES).ids();
      for (Encoder each : List.of(encoder, forgetful, encoder)) {
        out.clear();
        each.encode(text, out);
        assertArrayEquals(plain, out.toArray(), text);
      }
    }
  }

  @ParameterizedTest(name = "-Dtest.seed={0}")
  @MethodSource("seeds")
  void streamingGivesWhatDecodingGives(long seed) throws IOException {
    SplittableRandom random = new SplittableRandom(seed);
    HuggingFaceTokenizer tokenizer =
        Golden.load(Golden.MODELS.get((int) (seed % Golden.MODELS.size())));
    StreamingDecoder decoder = tokenizer.streamingDecoder();
    for (int i = 0; i < 20; i++) {
      int[] ids = random.ints(random.nextInt(30), 0, tokenizer.vocabularySize()).toArray();
      StringBuilder streamed = new StringBuilder();
      for (int id : ids) {
        String part = decoder.accept(id);
        assertFalse(!part.isEmpty() && Character.isHighSurrogate(part.charAt(part.length() - 1)));
        streamed.append(part);
      }
      assertEquals(tokenizer.decode(ids), streamed.append(decoder.finish()).toString());
    }
  }

  @Test
  void aByteOfACharacterIsHeldBackUntilItIsCertain() throws IOException {
    HuggingFaceTokenizer tokenizer = Golden.load("hf-bpe-gpt2");
    int[] ids = tokenizer.encode("😀");
    assertTrue(ids.length > 1, Arrays.toString(ids));
    StreamingDecoder decoder = tokenizer.streamingDecoder();
    for (int i = 0; i < ids.length - 1; i++) {
      assertEquals("", decoder.accept(ids[i]));
    }
    assertEquals("😀", decoder.accept(ids[ids.length - 1]));
    decoder.accept(ids[0]);
    assertEquals("\uFFFD", decoder.finish());
    assertEquals("", decoder.finish());
    assertThrows(IllegalArgumentException.class, () -> decoder.accept(tokenizer.vocabularySize()));
  }

  @Test
  void encodersOfOneTokenizerWorkSideBySide() throws Exception {
    HuggingFaceTokenizer tokenizer = Golden.load("hf-bpe-qwen2");
    SplittableRandom random = new SplittableRandom(1);
    List<String> texts = new ArrayList<>();
    List<int[]> expected = new ArrayList<>();
    for (int i = 0; i < 300; i++) {
      texts.add(text(random));
      expected.add(tokenizer.encode(texts.get(i)));
    }
    List<Thread> threads = new ArrayList<>();
    List<Throwable> failures = java.util.Collections.synchronizedList(new ArrayList<>());
    for (int t = 0; t < 4; t++) {
      Thread thread =
          new Thread(
              () -> {
                Encoder encoder = tokenizer.newEncoder();
                TokenBuffer out = new TokenBuffer(0);
                for (int i = 0; i < texts.size(); i++) {
                  out.clear();
                  encoder.encode(texts.get(i), out);
                  assertArrayEquals(expected.get(i), out.toArray());
                }
              },
              "encoder-" + t);
      thread.setUncaughtExceptionHandler((which, e) -> failures.add(e));
      threads.add(thread);
      thread.start();
    }
    for (Thread thread : threads) {
      thread.join();
    }
    assertEquals(List.of(), failures);
  }

  /** Ten megabytes each, most of them a single pre-token. */
  @ParameterizedTest
  @ValueSource(
      strings = {"a", " ", "中", "ab", "\n", "!", "e\u0301", "7", "<", "\u0301", "天地", "' "})
  void tenMegabytesOfOneThingTakeTheirTimeAndNoMore(String unit) throws IOException {
    byte[] once = unit.getBytes(StandardCharsets.UTF_8);
    int times = 10_000_000 / once.length;
    byte[] text = unit.repeat(times).getBytes(StandardCharsets.UTF_8);
    for (String model : Golden.MODELS) {
      Encoder encoder = Golden.load(model).newEncoder();
      TokenBuffer out = new TokenBuffer(0);
      assertTimeout(
          Duration.ofSeconds(60), () -> encoder.encodeUtf8(text, 0, text.length, out), model);
      assertTrue(out.length() > 0);
    }
  }

  /** As Python's and Rust's decoders have it; Java's own differs for encoded surrogates. */
  @ParameterizedTest
  @CsvSource({
    "FF, 1",
    "80, 1",
    "C3, 1",
    "F5, 1",
    "C080, 2",
    "E4BD, 1",
    "E080, 2",
    "E4FF, 2",
    "EDA080, 3",
    "F09F98, 1",
    "F4908080, 4",
    "F0808080, 4",
    "F1808080FF, -1"
  })
  void malformedBytesCountAsReplacementCharacters(String hex, int replacements) throws IOException {
    HuggingFaceTokenizer tokenizer = Golden.load("hf-bpe-qwen2");
    Encoder encoder = tokenizer.newEncoder();
    byte[] bytes = HexFormat.of().parseHex("61" + hex + "62" + hex);
    String replaced =
        replacements > 0 ? "\uFFFD".repeat(replacements) : Character.toString(0x40000) + "\uFFFD";
    TokenBuffer out = new TokenBuffer(0);
    encoder.encodeUtf8(bytes, 0, bytes.length, out);
    assertArrayEquals(tokenizer.encode("a" + replaced + "b" + replaced), out.toArray());
    out.clear();
    encoder.encodeUtf8(bytes, 1, bytes.length - hex.length() / 2, out);
    assertArrayEquals(tokenizer.encode(replaced + "b"), out.toArray());
  }

  @Test
  void aRangeOutsideTheArrayIsRefused() throws IOException {
    Encoder encoder = Golden.load("hf-bpe-qwen2").newEncoder();
    assertThrows(
        IndexOutOfBoundsException.class,
        () -> encoder.encodeUtf8(new byte[3], 2, 4, new TokenBuffer(0)));
  }

  @Test
  void aLoneSurrogateCountsAsAReplacementCharacter() throws IOException {
    HuggingFaceTokenizer tokenizer = Golden.load("hf-bpe-llama3");
    assertArrayEquals(tokenizer.encode("a\uFFFDb\uFFFD"), tokenizer.encode("a\uDC00b\uD800"));
  }

  @Test
  void knowsTheIdsOfRoles() throws IOException {
    Tokenizer qwen = Tokenizers.load(Golden.folder("hf-bpe-qwen2"));
    assertEquals(qwen.id("<|endoftext|>"), qwen.eosId());
    assertEquals(qwen.eosId(), qwen.padId());
    assertTrue(qwen.bosId().isEmpty() && qwen.unkId().isEmpty());
    assertEquals(qwen.eosId().getAsInt(), qwen.eodId());
    assertTrue(qwen.isSpecial(qwen.eodId()));
    assertFalse(qwen.isSpecial(0));
    Tokenizer gpt2 = Tokenizers.load(Golden.folder("hf-bpe-gpt2"));
    assertThrows(IllegalStateException.class, gpt2::eodId);
    assertThrows(IllegalArgumentException.class, () -> gpt2.piece(-1));
    assertThrows(
        IllegalArgumentException.class, () -> gpt2.decode(new int[] {gpt2.vocabularySize()}));
  }

  @Test
  void theMapIsAskedForWhatTheConfigDoesNotMention() throws IOException {
    Path file = TinyTokenizer.write(folder, TinyTokenizer.text());
    Files.writeString(
        folder.resolve("tokenizer_config.json"),
        "{\"eos_token\": {\"content\": \"<e>\", \"lstrip\": false}, \"pad_token\": null}");
    Files.writeString(
        folder.resolve("special_tokens_map.json"),
        "{\"bos_token\": \"a\", \"eos_token\": \"b\", \"pad_token\": \"b\"}");
    Tokenizer tokenizer = Tokenizers.load(file);
    assertEquals(4, tokenizer.eosId().getAsInt());
    assertEquals(0, tokenizer.bosId().getAsInt());
    assertTrue(tokenizer.padId().isEmpty());
  }

  @Test
  void anotherKindOfFileInTheSameDirectoryComesFirstUnlessOneAsks() throws IOException {
    TinyTokenizer.write(folder, TinyTokenizer.text());
    Files.copy(
        Path.of("src/test/resources/golden/sp-bpe-bytefallback-1k/tokenizer.model"),
        folder.resolve("tokenizer.model"));
    assertFalse(Tokenizers.load(folder) instanceof HuggingFaceTokenizer);
    TokenizerOptions byName = TokenizerOptions.defaults().withProvider("huggingface");
    assertTrue(Tokenizers.load(folder, byName) instanceof HuggingFaceTokenizer);
  }
}
