package io.github.pretrain4j.tokenizer.sentencepiece;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.github.pretrain4j.tokenizer.Tokenizer;
import io.github.pretrain4j.tokenizer.Tokenizers;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class UnigramTrainerTest {

  private static List<String> corpus() throws IOException {
    List<String> texts = new ArrayList<>();
    for (JsonNode line : Golden.lines(Golden.folder(Golden.SMALL.get(0)), "ids.jsonl")) {
      texts.add(line.get("text").asText());
    }
    return texts;
  }

  private static SentencePieceModel train(List<String> texts, TrainerConfig config) {
    return UnigramTrainer.train(
        texts.iterator(), config, UnigramTrainerConfig.defaults(), (phase, done, total) -> {});
  }

  @Test
  void isDeterministicWhateverTheOrderOfSentences() throws IOException {
    List<String> texts = corpus();
    byte[] first = train(texts, TrainerConfig.llama(1500)).toByteArray();
    Collections.shuffle(texts, new Random(7));
    assertArrayEquals(first, train(texts, TrainerConfig.llama(1500)).toByteArray());
  }

  @Test
  void writtenModelLoadsAndLosesNothing(@TempDir Path folder) throws IOException {
    SentencePieceModel model =
        train(
            corpus(),
            TrainerConfig.llama(1500)
                .withSpecialPieces(
                    SpecialPieces.defaults().withUserDefinedSymbols(List.of("<|im_end|>"))));
    assertEquals("UNIGRAM", model.modelType());
    assertEquals(1500, model.pieces().size());
    model.write(folder.resolve("tokenizer.model"));
    Tokenizer loaded = Tokenizers.load(folder);
    for (String text : corpus()) {
      assertEquals(text.replace('\u2581', ' '), loaded.decode(loaded.encode(text)));
    }
  }

  @Test
  void piecesKeepTheRulesAndFallInScore() throws IOException {
    TrainerConfig config = TrainerConfig.llama(1500);
    WordCutter cutter = new WordCutter(config.pieceRules());
    float last = 0;
    for (SentencePieceModel.Piece piece : train(corpus(), config).pieces()) {
      if (piece.type() == PieceType.NORMAL) {
        assertTrue(cutter.allows(piece.text()) || piece.text().length() == 1, piece.text());
        assertTrue(piece.score() <= last && piece.score() < 0, piece.text());
        last = piece.score();
      }
    }
    assertFalse(cutter.allows("a1"));
    assertFalse(cutter.allows("a\u4E16"));
    assertFalse(cutter.allows("\u2581\u2581a"));
    assertFalse(cutter.allows("a\u2581"));
    assertTrue(cutter.allows("\u3042\u4E16"));
    assertTrue(cutter.allows("\u2581\u2581"));
  }

  @Test
  void keepsEveryCharacterItsCoverageAsksFor() throws IOException {
    TrainerConfig llama = TrainerConfig.llama(1500);
    TrainerConfig all =
        new TrainerConfig(
            1500,
            1.0,
            true,
            llama.normalizationRule(),
            true,
            false,
            llama.pieceRules(),
            llama.specialPieces(),
            llama.sample());
    List<String> pieces =
        train(corpus(), all).pieces().stream().map(SentencePieceModel.Piece::text).toList();
    for (String text : corpus()) {
      for (String line : text.split("[\r\n]", -1)) {
        line.codePoints()
            .filter(c -> c != 0)
            .forEach(c -> assertTrue(pieces.contains(c == ' ' ? "\u2581" : Character.toString(c))));
      }
    }
  }

  /** The strings that a training starts from, by trying every part of every word. */
  @Test
  void seedsAreTheFrequentPartsThatNothingContinues() {
    int[] text = {1, 2, 3, 0, 2, 3, 0, 1, 2, 1, 2, 0}; // abc 1, bc 5, abab 2
    long[] countAt = {1, 1, 1, 1, 5, 5, 5, 2, 2, 2, 2, 2};
    UnigramSeeds seeds = new UnigramSeeds(text, 4, countAt, 16, 100, (from, length) -> true);
    Map<String, Long> found = new HashMap<>();
    for (int i = 0; i < seeds.start.length; i++) {
      StringBuilder piece = new StringBuilder();
      for (int k = 0; k < seeds.length[i]; k++) {
        piece.append((char) ('a' + text[seeds.start[i] + k] - 1));
      }
      found.put(piece.toString(), seeds.score[i]);
    }
    assertEquals(Map.of("ab", 10L, "bc", 12L, "abab", 8L, "bab", 6L), found);
    UnigramSeeds best = new UnigramSeeds(text, 4, countAt, 16, 2, (from, length) -> true);
    assertEquals(2, best.start.length);
    assertEquals(22, best.score[0] + best.score[1]);
  }

  @Test
  void saysWhichVocabularySizeWorks() {
    List<String> texts = List.of("ab ab ab ab");
    var tooSmall =
        assertThrows(IllegalArgumentException.class, () -> train(texts, TrainerConfig.llama(260)));
    assertTrue(String.valueOf(tooSmall.getMessage()).contains("at least"), "" + tooSmall);
    var tooLarge =
        assertThrows(IllegalArgumentException.class, () -> train(texts, TrainerConfig.llama(5000)));
    assertTrue(String.valueOf(tooLarge.getMessage()).contains("use at most"), "" + tooLarge);
    assertThrows(IllegalArgumentException.class, () -> new UnigramTrainerConfig(0, 0.75, 2));
    assertThrows(IllegalArgumentException.class, () -> new UnigramTrainerConfig(9, 0.99, 2));
    assertThrows(IllegalArgumentException.class, () -> new UnigramTrainerConfig(9, 0.75, 11));
  }

  @Test
  void computesDigamma() {
    double euler = 0.5772156649015329;
    assertEquals(-euler, UnigramTrainer.digamma(1), 1e-8);
    assertEquals(-euler - 2 * Math.log(2), UnigramTrainer.digamma(0.5), 1e-8);
    assertEquals(Math.log(1e9) - 0.5e-9, UnigramTrainer.digamma(1e9), 1e-12);
    for (double x = 0.5; x < 20; x += 0.37) {
      assertEquals(1 / x, UnigramTrainer.digamma(x + 1) - UnigramTrainer.digamma(x), 1e-8);
    }
  }
}
