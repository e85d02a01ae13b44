package io.github.pretrain4j.tokenizer.huggingface;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.pretrain4j.tokenizer.CorruptTokenizerException;
import io.github.pretrain4j.tokenizer.TokenizerOptions;
import io.github.pretrain4j.tokenizer.Tokenizers;
import io.github.pretrain4j.tokenizer.UnsupportedTokenizerException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Damaged files end in an exception that says where and how. */
class DamagedFileTest {
  @TempDir private Path folder = Path.of("");

  static LongStream seeds() {
    return Golden.seeds(200);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "/model/vocab | {\"a\":0,\"b\":0,\"ab\":2} | vocab | a second 0",
        "/model/vocab | {\"a\":0,\"b\":1,\"ab\":16777216} | id of a token | 16777216 or more",
        "/model/vocab | {\"a\":0,\"b\":-1,\"ab\":2} | id of a token | '-'",
        "/model/vocab | {\"a\":0,\"b\":1.5,\"ab\":2} | id of a token | '1'",
        "/model/vocab | {} | vocab | none",
        "/model/vocab | [] | vocab | an array",
        "/model/merges | [[\"a\",\"c\"]] | merge 0 | \"c\"",
        "/model/merges | [[\"b\",\"a\"]] | merge 0 | \"ba\"",
        "/model/merges | [[\"a\"]] | merge | fewer",
        "/model/merges | [[\"a\",\"b\",\"a\"]] | merge | more",
        "/model/merges | [\"a b a\"] | merge | \"a b a\"",
        "/model/merges | [\"ab\"] | merge | \"ab\"",
        "/model/merges | {} | JSON | '{'",
        "/model/unk_token | 5 | unk_token | 5",
        "/model/fuse_unk | 5 | fuse_unk | 5",
        "/added_tokens | [5] | added token's id | none",
        "/added_tokens | [{\"id\":9,\"content\":\"<e>\"}] | added token's single_word | none",
        "/post_processor/special_tokens | {} | post_processor TemplateProcessing special_tokens"
            + " | an object",
        "/post_processor/single | [] | | ",
        "/normalizer | {} | normalizer | an object",
        "/pre_tokenizer/behavior | 5 | pre_tokenizer Split behavior | 5",
      })
  void saysWhatIsWrong(String pointer, String json, String what, String found) throws IOException {
    Path file = TinyTokenizer.write(folder, TinyTokenizer.with(pointer, json));
    if (what == null) {
      assertThrows(IOException.class, () -> Tokenizers.load(file));
      return;
    }
    var e = assertThrows(CorruptTokenizerException.class, () -> Tokenizers.load(file));
    assertEquals(what, e.what());
    assertEquals(found, e.found());
    assertTrue(e.byteOffset() > 0 && e.byteOffset() < Files.size(file), e.getMessage());
  }

  @ParameterizedTest
  @CsvSource({"/model", "/model/vocab", "/model/merges"})
  void missesAPart(String pointer) throws IOException {
    Path file = TinyTokenizer.write(folder, TinyTokenizer.without(pointer));
    var e = assertThrows(CorruptTokenizerException.class, () -> Tokenizers.load(file));
    assertEquals("a field " + pointer.substring(1).replace('/', '.'), e.expected());
  }

  @Test
  void anAddedTokenMustHaveTheIdThatTheReferenceProgramGivesIt() throws IOException {
    String text = TinyTokenizer.text().replace("\"id\": 4", "\"id\": 7");
    Path file = TinyTokenizer.write(folder, text);
    var e = assertThrows(CorruptTokenizerException.class, () -> Tokenizers.load(file));
    assertEquals("4", e.expected());
    assertEquals("7", e.found());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "{\"version\":\"1.0\",} | 17",
        "{\"version\":\"1.0\" \"a\":1} | 17",
        "{\"version\":\"1.0\\q\"} | 15",
        "{\"version\":\"1.0\\ud800\"} | 15",
        "{\"version\":\"1.0\\u12g4\"} | 15",
        "{\"version\":tru} | 11",
        "{\"version\":01} | 11",
        "{\"version\":\"1.0\"}} | 17",
        "{\"version\":\"1.0\",\"version\":\"1.0\"} | 17",
      })
  void saysWhereTheJsonIsWrong(String text, long byteOffset) throws IOException {
    Path file = TinyTokenizer.write(folder, text);
    var e = assertThrows(CorruptTokenizerException.class, () -> Tokenizers.load(file));
    assertEquals(byteOffset, e.byteOffset(), e.getMessage());
  }

  @Test
  void deepNestingEndsNoStack() throws IOException {
    Path file = TinyTokenizer.write(folder, "{\"normalizer\":" + "[".repeat(100_000) + "1");
    assertThrows(CorruptTokenizerException.class, () -> Tokenizers.load(file));
  }

  @Test
  void malformedUtf8IsFoundAtItsByte() throws IOException {
    byte[] bytes = TinyTokenizer.text().getBytes(StandardCharsets.UTF_8);
    bytes[100] = (byte) 0xFF;
    Path file = Files.write(folder.resolve("tokenizer.json"), bytes);
    var e = assertThrows(CorruptTokenizerException.class, () -> Tokenizers.load(file));
    assertEquals(100, e.byteOffset());
  }

  @Test
  void everyCutIsFound() throws IOException {
    byte[] bytes = TinyTokenizer.text().stripTrailing().getBytes(StandardCharsets.UTF_8);
    Path file = folder.resolve("cut.json");
    for (int length = 0; length < bytes.length; length++) {
      Files.write(file, Arrays.copyOf(bytes, length));
      assertThrows(
          CorruptTokenizerException.class,
          () -> HuggingFaceTokenizer.load(file, TokenizerOptions.defaults()));
    }
  }

  @ParameterizedTest(name = "-Dtest.seed={0}")
  @MethodSource("seeds")
  void aChangedByteIsHarmlessOrFound(long seed) throws IOException {
    byte[] bytes = Files.readAllBytes(Golden.folder("hf-bpe-gpt2").resolve("tokenizer.json"));
    SplittableRandom random = new SplittableRandom(seed);
    for (int i = random.nextInt(1, 4); i > 0; i--) {
      bytes[random.nextInt(bytes.length)] ^= (byte) (1 << random.nextInt(8));
    }
    Path file = Files.write(folder.resolve("flipped.json"), bytes);
    try {
      HuggingFaceTokenizer tokenizer = HuggingFaceTokenizer.load(file, TokenizerOptions.defaults());
      assertFalse(tokenizer.sha256().isEmpty());
      tokenizer.decode(tokenizer.encode("Some text, 世界 123 <|endoftext|>\n"));
    } catch (CorruptTokenizerException | UnsupportedTokenizerException expected) {
      assertTrue(expected.toString().contains("flipped.json"), expected.toString());
    }
  }

  @Test
  void aRoleOfATokenThatIsNotThereIsFound() throws IOException {
    Path file = TinyTokenizer.write(folder, TinyTokenizer.text());
    Files.writeString(folder.resolve("tokenizer_config.json"), "{\"eos_token\": \"<x>\"}");
    var e = assertThrows(CorruptTokenizerException.class, () -> Tokenizers.load(file));
    assertEquals("eos_token", e.what());
    assertEquals("\"<x>\"", e.found());
    assertEquals(folder.resolve("tokenizer_config.json"), e.file());
  }
}
