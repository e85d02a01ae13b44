package io.github.pretrain4j.tokenizer.sentencepiece;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.github.pretrain4j.tokenizer.CorruptTokenizerException;
import io.github.pretrain4j.tokenizer.Encoding;
import io.github.pretrain4j.tokenizer.OffsetUnit;
import io.github.pretrain4j.tokenizer.SpecialTokens;
import io.github.pretrain4j.tokenizer.TokenizerOptions;
import io.github.pretrain4j.tokenizer.UnsupportedTokenizerException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/**
 * Models of a dozen pieces for the corners of the algorithm; the expected ids are those of C++
 * SentencePiece 0.2.1 for the same models.
 */
class ToyModelTest {
  private final List<SentencePieceModel.Piece> pieces = new ArrayList<>();
  private final TrainerSpec trainer = new TrainerSpec();
  private final NormalizerSpec normalizer = new NormalizerSpec();

  ToyModelTest() {
    trainer.modelType = TrainerSpec.BPE;
    normalizer.addDummyPrefix = false;
    normalizer.removeExtraWhitespaces = false;
    piece("<unk>", 0, PieceType.UNKNOWN);
    piece("<s>", 0, PieceType.CONTROL);
    piece("</s>", 0, PieceType.CONTROL);
  }

  private ToyModelTest piece(String text, double score, PieceType type) {
    pieces.add(new SentencePieceModel.Piece(text, (float) score, type));
    return this;
  }

  private ToyModelTest piece(String text, double score) {
    return piece(text, score, PieceType.NORMAL);
  }

  private SentencePieceTokenizer tokenizer() throws IOException {
    return SentencePieceTokenizer.of(SentencePieceModel.create(pieces, trainer, normalizer));
  }

  private static void assertIds(SentencePieceTokenizer tokenizer, String text, int... expected) {
    assertArrayEquals(expected, tokenizer.encode(text), "\"" + text + "\"");
    assertArrayEquals(
        expected, tokenizer.encode(text, OffsetUnit.UTF8_BYTES).ids(), "\"" + text + "\"");
  }

  private static void assertSpans(SentencePieceTokenizer tokenizer, String text, String expected) {
    Encoding encoding = tokenizer.encode(text, OffsetUnit.UTF8_BYTES);
    StringBuilder found = new StringBuilder();
    for (int i = 0; i < encoding.ids().length; i++) {
      found.append(encoding.begins()[i]).append('-').append(encoding.ends()[i]).append(' ');
    }
    assertEquals(expected, found.toString().trim(), "\"" + text + "\"");
  }

  @Test
  void mergesByScoreThenFromTheLeft() throws IOException {
    piece("ab", -1).piece("bc", -1).piece("abc", -2).piece("a", -3).piece("b", -3).piece("c", -3);
    var tokenizer = piece("\u2581", -4).piece("aa", -1).piece("aaa", -5).tokenizer();
    assertIds(tokenizer, "abc", 5);
    assertIds(tokenizer, "aabc", 10, 4);
    assertIds(tokenizer, "aaa", 11);
    assertIds(tokenizer, "aaaa", 10, 10);
    assertIds(tokenizer, "bcab", 4, 3);
  }

  @Test
  void takesUnusedPiecesApart() throws IOException {
    piece("ab", -1).piece("abc", -2, PieceType.UNUSED).piece("bc", -1.5);
    piece("a", -3).piece("b", -3).piece("c", -3).piece("xy", -1, PieceType.UNUSED);
    var tokenizer = piece("x", -3).piece("y", -3).tokenizer();
    assertIds(tokenizer, "abc", 3, 8);
    assertIds(tokenizer, "abcabc", 3, 8, 3, 8);
    assertIds(tokenizer, "xy", 10, 11);
    assertIds(tokenizer, "bcab", 5, 3);
    assertEquals("abc", tokenizer.decode(new int[] {4}));
  }

  @Test
  void keepsUserSymbolsWholeAndJoinsUnknowns() throws IOException {
    normalizer.addDummyPrefix = true;
    piece("<sep>", 0, PieceType.USER_DEFINED).piece("<sep>x", 0, PieceType.USER_DEFINED);
    var tokenizer =
        piece("qz", -1).piece("q", -2).piece("\u2581", -3).piece("\u2581q", -1.5).tokenizer();
    assertIds(tokenizer, "qz", 7, 5);
    assertIds(tokenizer, "z", 7, 0);
    assertIds(tokenizer, "zzz", 7, 0);
    assertIds(tokenizer, "a<sep>b", 7, 0, 3, 0);
    assertIds(tokenizer, "a<sep>xb", 7, 0, 4, 0);
    assertIds(tokenizer, "q <sep> q", 8, 7, 3, 8);
    assertIds(tokenizer, "zqzz", 7, 0, 5, 0);
    assertSpans(tokenizer, "qz", "0-0 0-2");
    assertSpans(tokenizer, "z", "0-0 0-1");
    assertSpans(tokenizer, "zzz", "0-0 0-3");
    assertSpans(tokenizer, "a<sep>b", "0-0 0-1 1-6 6-7");
    assertSpans(tokenizer, "a<sep>xb", "0-0 0-1 1-7 7-8");
    assertSpans(tokenizer, "q <sep> q", "0-1 1-2 2-7 7-9");
    assertSpans(tokenizer, "zqzz", "0-0 0-1 1-3 3-4");
    assertEquals(List.of("\u2581", "zzz"), tokenizer.encodePieces("zzz"));
    assertEquals("q<sep>qz", tokenizer.decode(new int[] {8, 3, 5}));
    assertEquals(" \u2047 ", tokenizer.decode(new int[] {0}));
  }

  @Test
  void putsTheDummySpaceBehindInSuffixMode() throws IOException {
    normalizer.addDummyPrefix = true;
    normalizer.removeExtraWhitespaces = true;
    trainer.treatWhitespaceAsSuffix = true;
    var tokenizer = piece("a\u2581", -1).piece("a", -2).piece("\u2581", -3).tokenizer();
    assertIds(tokenizer, "a a", 3, 3);
    assertIds(tokenizer, "  a   a  ", 3, 3);
    assertIds(tokenizer, "   ");
    assertSpans(tokenizer, "a a", "0-2 2-3");
    assertSpans(tokenizer, "  a   a  ", "2-6 6-7");
    assertEquals("a a ", tokenizer.decode(new int[] {3, 3}));
  }

  @Test
  void removesExtraSpaces() throws IOException {
    normalizer.addDummyPrefix = true;
    normalizer.removeExtraWhitespaces = true;
    var tokenizer = piece("\u2581a", -1).piece("a", -2).piece("\u2581", -3).tokenizer();
    assertIds(tokenizer, "  a   a  ", 3, 3);
    assertSpans(tokenizer, "  a   a  ", "2-3 3-7");
    assertEquals("a a", tokenizer.decode(new int[] {3, 3}));
    assertEquals("a", tokenizer.decode(new int[] {5, 5, 4}));
  }

  @Test
  void refusesTextThatSpellsAControlPiece() throws IOException {
    var tokenizer = piece("a", -1).piece("\n", 0, PieceType.CONTROL).tokenizer();
    assertIds(tokenizer, "a", 3);
    var e = assertThrows(IllegalArgumentException.class, () -> tokenizer.encode("a\na"));
    assertEquals(true, String.valueOf(e.getMessage()).contains("CONTROL piece 4"), e.getMessage());
  }

  @Test
  void refusesIdsOutOfRange() throws IOException {
    var tokenizer = piece("a", -1).tokenizer();
    assertThrows(IllegalArgumentException.class, () -> tokenizer.decode(new int[] {4}));
    assertThrows(IllegalArgumentException.class, () -> tokenizer.piece(-1));
  }

  @Test
  void loneSurrogatesCountAsReplacementCharacter() throws IOException {
    var tokenizer = piece("a", -1).piece("\uFFFD", -2).piece("\uD83D\uDE00", -3).tokenizer();
    assertIds(tokenizer, "a\uD800a\uDC00\uD83D\uDE00", 3, 4, 3, 4, 5);
  }

  @Test
  void mergesSupplementaryCharacters() throws IOException {
    var tokenizer = piece("\uD83D\uDE00\uD83D\uDE01", -1).piece("\uD83D\uDE01", -2).tokenizer();
    assertIds(tokenizer, "\uD83D\uDE00\uD83D\uDE01\uD83D\uDE00", 3, 0);
  }

  @Test
  void endsDocumentsOnlyWithAnEndPiece() throws IOException {
    pieces.remove(2);
    var tokenizer = piece("a", -1).tokenizer();
    assertEquals(true, tokenizer.eosId().isEmpty());
    assertThrows(IllegalStateException.class, tokenizer::eodId);
  }

  @Test
  void findsTheMostLikelyDivision() throws IOException {
    trainer.modelType = TrainerSpec.UNIGRAM;
    piece("ab", -2).piece("a", -1).piece("b", -1.5).piece("abc", -5).piece("c", -1);
    var tokenizer = piece("XX", 0, PieceType.USER_DEFINED).piece("\u2581", -1).tokenizer();
    assertIds(tokenizer, "ab", 3);
    assertIds(tokenizer, "abc", 3, 7);
    assertIds(tokenizer, "ababz", 3, 3, 0);
    assertIds(tokenizer, "zzab", 0, 3);
    assertIds(tokenizer, "aXXb", 4, 8, 5);
    assertIds(tokenizer, "XXX", 0, 8); // a tie: the earlier start wins
  }

  @Test
  void wordModelsCutBeforeEverySpace() throws IOException {
    trainer.modelType = TrainerSpec.WORD;
    normalizer.addDummyPrefix = true;
    var tokenizer =
        piece("\u2581ab", -1).piece("\u2581", -2).piece("\u2581c\u4E2D", -3).tokenizer();
    assertIds(tokenizer, "ab  ab c\u4E2D", 3, 4, 3, 5);
    assertIds(tokenizer, "abc abab ab", 0, 3);
    assertIds(tokenizer, "ab\u2581ab", 3, 3);
  }

  @Test
  void charModelsCutEverywhere() throws IOException {
    trainer.modelType = TrainerSpec.CHAR;
    var tokenizer = piece("a", -1).piece("b", -2).piece("\u2581", -3).tokenizer();
    assertIds(tokenizer, "abba  xyzb", 3, 4, 4, 3, 5, 5, 0, 4);
  }

  @Test
  void refusesToMatchSpecialTokens() {
    piece("a", -1);
    var options = TokenizerOptions.defaults().withSpecialTokens(SpecialTokens.MATCH);
    SentencePieceModel model = SentencePieceModel.create(pieces, trainer, normalizer);
    var e =
        assertThrows(
            UnsupportedTokenizerException.class, () -> SentencePieceTokenizer.of(model, options));
    assertEquals("matching special tokens in text", e.component());
  }

  @Test
  void runsTheSelfTestOfTheFile() throws IOException {
    byte[] model =
        SentencePieceModel.create(piece("a", -1).pieces, trainer, normalizer).toByteArray();
    for (String expected : List.of("a a", "aa")) {
      byte[] sample =
          new ProtobufWriter()
              .raw(model)
              .message(
                  4,
                  new ProtobufWriter()
                      .message(1, new ProtobufWriter().string(1, "aa").string(2, expected)))
              .toByteArray();
      SentencePieceModel withTest = SentencePieceModel.parse(sample, Path.of("m"));
      if (expected.equals("a a")) {
        SentencePieceTokenizer.of(withTest);
      } else {
        assertThrows(CorruptTokenizerException.class, () -> SentencePieceTokenizer.of(withTest));
      }
    }
  }
}
