package io.github.pretrain4j.tokenizer.megatron;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.github.pretrain4j.tokenizer.Encoder;
import io.github.pretrain4j.tokenizer.TokenBuffer;
import io.github.pretrain4j.tokenizer.Tokenizer;
import io.github.pretrain4j.tokenizer.Tokenizers;
import io.github.pretrain4j.tokenizer.UnsupportedTokenizerException;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.OptionalInt;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Against what Megatron's own classes answer, as recorded in {@code golden/megatron.jsonl}. */
class MegatronTokenizerTest {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final String MODEL = "sp-bpe-bytefallback-1k";

  private static Path golden(String name) {
    try {
      return Path.of(
          Objects.requireNonNull(MegatronTokenizerTest.class.getResource("/golden/" + name))
              .toURI());
    } catch (URISyntaxException e) {
      throw new AssertionError(e);
    }
  }

  /** One of the recorded tokenizers: all answers that share everything but the text. */
  static Stream<List<JsonNode>> recorded() throws IOException {
    List<JsonNode> lines = new ArrayList<>();
    for (String line : Files.readAllLines(golden("megatron.jsonl"))) {
      lines.add(JSON.readTree(line));
    }
    return lines.stream()
        .collect(
            Collectors.groupingBy(
                line -> line.get("model") + " " + line.get("tokenizer") + line.get("extra_ids"),
                TreeMap::new,
                Collectors.toList()))
        .values()
        .stream();
  }

  private static MegatronTokenizerConfig config(JsonNode line) {
    Path model = golden(line.get("model").asText());
    String name = line.get("tokenizer").asText();
    if (name.equals("legacy")) {
      return MegatronTokenizerConfig.of(MegatronTokenizerType.SENTENCE_PIECE, model)
          .withLegacySpecialTokens(
              Arrays.asList(JSON.convertValue(line.get("special_tokens"), String[].class)));
    }
    MegatronTokenizerType type = MegatronTokenizerType.of(name.substring(name.indexOf(' ') + 1));
    int extraIds = line.has("extra_ids") ? line.get("extra_ids").asInt() : 0;
    return MegatronTokenizerConfig.of(type, model).upToCore14(extraIds);
  }

  @ParameterizedTest
  @MethodSource("recorded")
  void answersAsMegatron(List<JsonNode> lines) throws IOException {
    JsonNode first = lines.get(0);
    MegatronTokenizer tokenizer = MegatronTokenizer.open(config(first));
    assertEquals(first.get("size").asInt(), tokenizer.vocabularySize());
    if (first.has("eod")) {
      assertEquals(first.get("eod").asInt(), tokenizer.eodId());
      assertEquals(first.get("bos").asInt(), tokenizer.bosId().orElse(-1));
      assertEquals(first.get("pad").asInt(), tokenizer.padId().orElse(-1));
    }
    Encoder encoder = tokenizer.newEncoder();
    TokenBuffer buffer = new TokenBuffer(0);
    for (JsonNode line : lines) {
      String text = line.get("text").asText();
      int[] expected = JSON.convertValue(line.get("ids"), int[].class);
      assertArrayEquals(expected, tokenizer.encode(text), line::toString);
      byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
      buffer.clear();
      assertEquals(expected.length, encoder.encodeUtf8(utf8, 0, utf8.length, buffer));
      assertArrayEquals(expected, buffer.toArray());
      assertEquals(line.get("decoded").asText(), tokenizer.decode(expected), line::toString);
    }
  }

  @ParameterizedTest
  @CsvSource({"LLAMA2", "GPT_SENTENCE_PIECE", "SENTENCE_PIECE"})
  void nowSentencePieceTypesAreAllTheModel(MegatronTokenizerType type) throws IOException {
    MegatronTokenizer tokenizer =
        MegatronTokenizer.open(MegatronTokenizerConfig.of(type, golden(MODEL)));
    Tokenizer model = Tokenizers.load(golden(MODEL));
    assertArrayEquals(model.encode("hello <s>"), tokenizer.encode("hello <s>"));
    assertEquals(model.eodId(), tokenizer.eodId());
    assertEquals(model.vocabularySize(), tokenizer.vocabularySize());
    assertEquals(model.bosId(), tokenizer.bosId());
    assertEquals(model.padId(), tokenizer.padId());
  }

  @Test
  void bosModeIsForEveryText() throws IOException {
    MegatronTokenizer tokenizer =
        MegatronTokenizer.open(
            MegatronTokenizerConfig.of(MegatronTokenizerType.LLAMA2, golden(MODEL))
                .withBosMode(BosMode.PER_TEXT));
    assertArrayEquals(new int[] {1}, tokenizer.encode(""));
    assertEquals(1, tokenizer.encode("hello")[0]);
  }

  @ParameterizedTest
  @CsvSource({
    "128, 1, 1024",
    "128, 2, 1024",
    "128, 8, 1024",
    "128, 16, 2048",
    "1, 1, 1000",
    "7, 3, 1008"
  })
  void padsTheVocabulary(int divisor, int tensorParallel, int padded) throws IOException {
    MegatronTokenizer tokenizer = MegatronTokenizer.open(MegatronTokenizerConfig.ofNull(1000));
    assertEquals(padded, tokenizer.paddedVocabularySize(divisor, tensorParallel));
    assertThrows(
        IllegalArgumentException.class, () -> tokenizer.paddedVocabularySize(0, tensorParallel));
  }

  @Test
  void nullTokenizerReadsNumbers() throws IOException {
    MegatronTokenizer tokenizer = MegatronTokenizer.open(MegatronTokenizerConfig.ofNull(100));
    assertArrayEquals(new int[] {3, 0, 99}, tokenizer.encode("3 0 99"));
    assertEquals("3 0 99", tokenizer.decode(new int[] {3, 0, 99}));
    assertEquals(99, tokenizer.eodId());
    assertEquals(OptionalInt.empty(), tokenizer.padId());
    assertEquals(100, tokenizer.vocabularySize());
    for (String wrong : List.of("", "1  2", " 1", "1 ", "x", "-1", "99999999999")) {
      assertThrows(IllegalArgumentException.class, () -> tokenizer.encode(wrong), wrong);
    }
    TokenBuffer kept = new TokenBuffer(4);
    kept.add(5);
    assertThrows(
        IllegalArgumentException.class, () -> tokenizer.newEncoder().encode("1 2 x", kept));
    assertArrayEquals(new int[] {5}, kept.toArray());
  }

  @Test
  void nullTokenizerHadOneIdMore() throws IOException {
    MegatronTokenizer tokenizer =
        MegatronTokenizer.open(MegatronTokenizerConfig.ofNull(100).upToCore14(0));
    assertEquals(101, tokenizer.vocabularySize());
    assertEquals(100, tokenizer.eodId());
    MegatronTokenizer chosen =
        MegatronTokenizer.open(
            MegatronTokenizerConfig.ofNull(100).withNullIds(OptionalInt.of(7), OptionalInt.of(8)));
    assertEquals(7, chosen.eodId());
    assertEquals(OptionalInt.of(8), chosen.padId());
  }

  @Test
  void refusesWhatDoesNotGoTogether(@TempDir Path folder) throws IOException {
    assertThrows(
        IllegalArgumentException.class, () -> MegatronTokenizerType.of("GPT2BPETokenizer"));
    MegatronTokenizerConfig hugging =
        MegatronTokenizerConfig.of(MegatronTokenizerType.HUGGING_FACE, folder);
    assertThrows(IllegalArgumentException.class, () -> hugging.withBosMode(BosMode.PER_TEXT));
    assertThrows(
        IllegalArgumentException.class, () -> hugging.withLegacySpecialTokens(List.of("<x>")));
    assertThrows(
        IllegalArgumentException.class,
        () ->
            MegatronTokenizerConfig.ofNull(5)
                .upToCore14(3)); // extra ids belong to the SentencePieceTokenizer
    Path json = Files.writeString(folder.resolve("tokenizer.json"), "{}");
    var e =
        assertThrows(
            UnsupportedTokenizerException.class,
            () ->
                MegatronTokenizer.open(
                    MegatronTokenizerConfig.of(MegatronTokenizerType.LLAMA2, json)));
    assertTrue(String.valueOf(e.getMessage()).contains("HuggingFaceTokenizer"), e.getMessage());
  }
}
