package io.github.pretrain4j.tokenizer.sentencepiece;

import io.github.pretrain4j.tokenizer.UnigramScores;
import java.util.List;

/**
 * What a unigram model becomes for encoding: a trie of the pieces that may be produced, and their
 * scores. Immutable.
 */
final class UnigramVocabulary {
  /** How much less likely than the least likely piece an unknown character is. */
  private static final float UNKNOWN_PENALTY = 10.0f;

  /** What makes a user-defined symbol preferred to its parts. */
  private static final double USER_SYMBOL_SCORE = -0.1;

  final PieceTrie trie;
  final float unknownScore;

  /** No score is above zero, so that no path grows as it goes on. */
  final boolean scoresOnlyFall;

  private final double[] scores;
  private final boolean isSinglePrecision;

  UnigramVocabulary(PieceTable table, UnigramScores arithmetic) {
    isSinglePrecision = arithmetic == UnigramScores.SINGLE_PRECISION;
    List<SentencePieceModel.Piece> pieces = table.pieces();
    trie =
        new PieceTrie(
            table.texts(),
            table.occurring(
                id -> table.type(id).mergeable() && table.type(id) != PieceType.UNUSED));
    float lowest = Float.MAX_VALUE;
    float highest = Float.MIN_NORMAL;
    for (SentencePieceModel.Piece piece : pieces) {
      if (piece.type() == PieceType.NORMAL) {
        lowest = Math.min(lowest, piece.score());
        highest = Math.max(highest, piece.score());
      }
    }
    unknownScore = lowest - UNKNOWN_PENALTY;
    scores = new double[pieces.size()];
    boolean fall = unknownScore <= 0;
    for (int id = 0; id < scores.length; id++) {
      SentencePieceModel.Piece piece = pieces.get(id);
      scores[id] =
          piece.type() == PieceType.USER_DEFINED
              ? userSymbolScore(piece.text(), highest)
              : piece.score();
      fall &= scores[id] <= 0 || !piece.type().mergeable();
    }
    scoresOnlyFall = fall;
  }

  private double userSymbolScore(String text, float highest) {
    return isSinglePrecision
        ? USER_SYMBOL_SCORE
        : (double) (utf8Length(text) * highest) + USER_SYMBOL_SCORE;
  }

  private static float utf8Length(String text) {
    return text.codePoints().map(c -> c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4).sum();
  }

  /** The logarithm of a piece's probability. */
  double score(int id) {
    return scores[id];
  }

  /** The sum of scores after a piece, before it is stored as a float. */
  double sum(float before, int id) {
    return isSinglePrecision ? (float) scores[id] + before : scores[id] + before;
  }
}
