package io.github.pretrain4j.tokenizer.sentencepiece;

/**
 * Which strings may become pieces in a training; names and meanings are SentencePiece's.
 *
 * @param splitByUnicodeScript whether a piece keeps to one script (kana counts as Han)
 * @param splitByNumber whether digits and letters never share a piece
 * @param splitDigits whether every digit, ASCII or full-width, is a piece of its own
 * @param splitByWhitespace whether a space occurs only at the beginning of a piece
 * @param allowWhitespaceOnlyPieces whether runs of spaces may be pieces
 * @param maxPieceLength longest piece, in characters
 */
public record PieceRules(
    boolean splitByUnicodeScript,
    boolean splitByNumber,
    boolean splitDigits,
    boolean splitByWhitespace,
    boolean allowWhitespaceOnlyPieces,
    int maxPieceLength) {

  static final int MAX_LENGTH = 512;

  /** Checks the length. */
  public PieceRules {
    if (maxPieceLength < 1 || maxPieceLength > MAX_LENGTH) {
      throw new IllegalArgumentException(
          "maxPieceLength " + maxPieceLength + " is not in 1 to " + MAX_LENGTH);
    }
  }

  /** SentencePiece's defaults, but with single digits and runs of spaces: what Llama-2 has. */
  public static PieceRules llama() {
    return new PieceRules(true, true, true, true, true, 16);
  }

  /** SentencePiece's defaults. */
  public static PieceRules defaults() {
    return new PieceRules(true, true, false, true, false, 16);
  }
}
