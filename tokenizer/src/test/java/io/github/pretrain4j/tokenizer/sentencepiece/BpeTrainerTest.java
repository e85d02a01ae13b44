package io.github.pretrain4j.tokenizer.sentencepiece;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.github.pretrain4j.tokenizer.Tokenizer;
import io.github.pretrain4j.tokenizer.TokenizerWriteException;
import io.github.pretrain4j.tokenizer.Tokenizers;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class BpeTrainerTest {

  /** The strings of a golden file: English, Chinese, code, odd characters. */
  private static List<String> corpus() throws IOException {
    List<String> texts = new ArrayList<>();
    for (JsonNode line : Golden.lines(Golden.folder(Golden.SMALL.get(0)), "ids.jsonl")) {
      texts.add(line.get("text").asText());
    }
    return texts;
  }

  private static List<String> merged(SentencePieceModel model) {
    return model.pieces().stream()
        .filter(piece -> piece.type() == PieceType.NORMAL)
        .map(SentencePieceModel.Piece::text)
        .toList();
  }

  private static TrainerConfig small(int pieces) {
    TrainerConfig c = TrainerConfig.llama(pieces);
    return new TrainerConfig(
        pieces,
        1.0,
        false,
        c.normalizationRule(),
        c.addDummyPrefix(),
        c.removeExtraWhitespaces(),
        c.pieceRules(),
        c.specialPieces(),
        c.sample());
  }

  private static TrainerConfig withUserSymbols(int pieces, String... symbols) {
    return TrainerConfig.llama(pieces)
        .withSpecialPieces(SpecialPieces.defaults().withUserDefinedSymbols(List.of(symbols)));
  }

  @Test
  void mergesTheMostFrequentPairFirst() {
    // Pairs: "lo" 7, "_lo" 7, "low" 7, then "er" 4, then of those with 2 "ew" by code points.
    List<String> words = new ArrayList<>(Collections.nCopies(5, "low"));
    words.addAll(Collections.nCopies(2, "lower"));
    words.addAll(Collections.nCopies(2, "newer"));
    SentencePieceModel model = BpeTrainer.train(words.iterator(), small(3 + 5 + 7));
    assertEquals(List.of("lo", "low", "\u2581low", "er", "ew"), merged(model).subList(0, 5));
    assertEquals(List.of("w", "\u2581", "l", "o", "e", "r", "n"), merged(model).subList(5, 12));
    assertEquals(0.0f, model.pieces().get(3).score());
    assertEquals(-11.0f, model.pieces().get(14).score());
  }

  @Test
  void countsOverlappingPairsOnce() {
    // "aaa" can merge "aa" once: 3 words give 3, fewer than the 4 of "bc".
    SentencePieceModel model =
        BpeTrainer.train(
            Stream.of("aaa-bc", "aaa-bc", "aaa-bc", "bc").iterator(), small(3 + 1 + 5));
    assertEquals("bc", merged(model).get(0));
  }

  @Test
  void isDeterministic() throws IOException {
    List<String> texts = corpus();
    byte[] first = BpeTrainer.train(texts.iterator(), TrainerConfig.llama(1600)).toByteArray();
    assertArrayEquals(
        first, BpeTrainer.train(texts.iterator(), TrainerConfig.llama(1600)).toByteArray());
    Collections.shuffle(texts, new Random(7)); // only counts matter, not the order
    assertArrayEquals(
        first, BpeTrainer.train(texts.iterator(), TrainerConfig.llama(1600)).toByteArray());
  }

  @Test
  void writtenModelReadsBackTheSame(@TempDir Path folder) throws IOException {
    SentencePieceModel model =
        BpeTrainer.train(corpus().iterator(), withUserSymbols(1600, "<|im_end|>", "\u4E16"));
    Path file = folder.resolve("tokenizer.model");
    model.write(file);
    model.write(file); // over an existing one
    Path plain = Files.writeString(folder.resolve("plain"), "");
    assertEquals(Files.getPosixFilePermissions(plain), Files.getPosixFilePermissions(file));
    Files.delete(plain);
    try (Stream<Path> left = Files.list(folder)) {
      assertEquals(List.of(file), left.toList());
    }
    Tokenizer loaded = Tokenizers.load(folder);
    Tokenizer trained = SentencePieceTokenizer.of(model);
    assertEquals(model.sha256(), loaded.sha256());
    assertEquals(1600, loaded.vocabularySize());
    assertEquals(1, loaded.bosId().orElseThrow());
    assertEquals(2, loaded.eodId());
    assertTrue(loaded.padId().isEmpty());
    for (String text : corpus()) {
      int[] ids = loaded.encode(text);
      assertArrayEquals(trained.encode(text), ids);
      assertEquals(text.replace('\u2581', ' '), loaded.decode(ids)); // nothing is lost
    }
  }

  @Test
  void piecesKeepTheRules() throws IOException {
    for (SentencePieceModel.Piece piece :
        BpeTrainer.train(corpus().iterator(), TrainerConfig.llama(1500)).pieces()) {
      String text = piece.text();
      if (piece.type() != PieceType.NORMAL) {
        continue;
      }
      int length = text.codePointCount(0, text.length());
      assertTrue(length <= 16, text);
      boolean blank = text.chars().allMatch(c -> c == '\u2581');
      assertTrue(blank || text.lastIndexOf('\u2581') <= 0, text);
      assertFalse(length > 1 && text.chars().anyMatch(c -> c >= '0' && c <= '9'), text);
      long scripts =
          text.codePoints()
              .filter(c -> c != 0x2581)
              .mapToObj(Character.UnicodeScript::of)
              .filter(script -> script != Character.UnicodeScript.INHERITED)
              .map(
                  script ->
                      script == Character.UnicodeScript.HIRAGANA
                              || script == Character.UnicodeScript.KATAKANA
                          ? Character.UnicodeScript.HAN
                          : script)
              .distinct()
              .count();
      assertTrue(scripts <= 1 || text.indexOf('\u30FC') >= 0, text);
    }
  }

  @Test
  void saysWhichVocabularySizeWorks() {
    List<String> texts = List.of("ab ab ab");
    var tooSmall =
        assertThrows(
            IllegalArgumentException.class, () -> BpeTrainer.train(texts.iterator(), small(4)));
    assertTrue(String.valueOf(tooSmall.getMessage()).contains("at least 6"), tooSmall.toString());
    var tooLarge =
        assertThrows(
            IllegalArgumentException.class, () -> BpeTrainer.train(texts.iterator(), small(100)));
    assertTrue(String.valueOf(tooLarge.getMessage()).contains("at most 8"), tooLarge.toString());
    assertEquals(8, BpeTrainer.train(texts.iterator(), small(8)).pieces().size());
  }

  @Test
  void boundsItsMemoryOnlyWithAnErrorOrASample() throws IOException {
    List<String> texts = corpus();
    TrainingSample little = new TrainingSample(0, 0, 1000);
    var tooMuch =
        assertThrows(
            IllegalArgumentException.class,
            () -> BpeTrainer.train(texts.iterator(), TrainerConfig.llama(700).withSample(little)));
    assertTrue(String.valueOf(tooMuch.getMessage()).contains("maxWordChars"), tooMuch.toString());

    List<String> heard = new ArrayList<>();
    byte[] sampled =
        BpeTrainer.train(
                texts.iterator(),
                TrainerConfig.llama(700).withSample(TrainingSample.of(100, 7)),
                (phase, done, total) -> heard.add(phase + " " + done + "/" + total))
            .toByteArray();
    assertTrue(heard.stream().anyMatch(line -> line.startsWith("sampling 100/")), "" + heard);
    assertArrayEquals(
        sampled,
        BpeTrainer.train(
                texts.iterator(), TrainerConfig.llama(700).withSample(TrainingSample.of(100, 7)))
            .toByteArray());
  }

  @Test
  void everySentenceIsSampledAsOften() {
    int[] drawn = new int[20];
    for (int seed = 0; seed < 4000; seed++) {
      SentenceReservoir reservoir = new SentenceReservoir(5, seed * 31L);
      for (int i = 0; i < 20; i++) {
        reservoir.add(Integer.toString(i));
      }
      assertEquals(20, reservoir.seen());
      reservoir.sentences().forEach(sentence -> drawn[Integer.parseInt(sentence)]++);
    }
    for (int count : drawn) {
      assertEquals(1000, count, 110); // four standard deviations
    }
  }

  @Test
  void everyPieceIsWithinTheEncodersReach() throws IOException {
    SentencePieceModel model = BpeTrainer.train(corpus().iterator(), TrainerConfig.llama(1600));
    SentencePieceTokenizer tokenizer = SentencePieceTokenizer.of(model);
    for (SentencePieceModel.Piece piece : model.pieces()) {
      if (piece.type() == PieceType.NORMAL && piece.text().matches("\u2581.+")) {
        String text = piece.text().substring(1).replace('\u2581', ' ');
        assertEquals(List.of(piece.text()), tokenizer.encodePieces(text), piece.text());
      }
    }
  }

  @Test
  void refusesSpecialPiecesNamedTwice() {
    assertThrows(IllegalArgumentException.class, () -> withUserSymbols(500, "<s>"));
    assertThrows(IllegalArgumentException.class, () -> withUserSymbols(500, ""));
    assertThrows(IllegalArgumentException.class, () -> withUserSymbols(500, "<0x0A>"));
  }

  @Test
  void tellsHowFarItIs() throws IOException {
    List<String> heard = new ArrayList<>();
    BpeTrainer.train(
        corpus().iterator(),
        TrainerConfig.llama(1600),
        (phase, done, total) -> heard.add(phase + " " + done + "/" + total));
    assertTrue(heard.get(0).startsWith("reading 300/"), heard.toString());
    String last = heard.get(heard.size() - 1);
    assertTrue(last.startsWith("merging "), last);
    String[] numbers = last.substring("merging ".length()).split("/", -1);
    assertEquals(numbers[1], numbers[0]);
  }

  @Test
  void namesTheFileForWhichTheDiskIsFull() throws IOException {
    Path target = Path.of("tokenizer.model");
    try (FileChannel full = FileChannel.open(Path.of("/dev/full"), StandardOpenOption.WRITE)) {
      TokenizerWriteException e =
          assertThrows(
              TokenizerWriteException.class,
              () -> SentencePieceModel.write(full, ByteBuffer.allocate(9), target));
      assertEquals(target, e.file());
      assertEquals(0, e.byteOffset());
      assertTrue(
          String.valueOf(e.getMessage()).startsWith("tokenizer.model: cannot write at byte 0: "));
    }
  }
}
