package io.github.pretrain4j.tokenizer.sentencepiece;

import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * How a BPE vocabulary is trained; names and meanings are SentencePiece's. Ids: unknown 0, begin 1,
 * end 2, padding 3 if there is a padding piece; then control symbols, user-defined symbols, bytes,
 * merged pieces in the order of merging, characters by falling frequency.
 *
 * @param vocabularySize number of pieces, all kinds together
 * @param characterCoverage share of the text's characters that get a piece of their own; the rarest
 *     rest is left to bytes, or to the unknown piece
 * @param byteFallback whether other characters become bytes
 * @param addDummyPrefix whether a space is put before every text
 * @param removeExtraWhitespaces whether spaces at the ends and repeated ones are dropped
 * @param splitByUnicodeScript whether a piece keeps to one script (kana counts as Han)
 * @param splitByNumber whether digits and letters never share a piece
 * @param splitDigits whether every ASCII digit is a piece of its own
 * @param splitByWhitespace whether a space occurs only at the beginning of a piece
 * @param allowWhitespaceOnlyPieces whether runs of spaces may be pieces
 * @param maxPieceLength longest piece, in characters
 * @param controlSymbols pieces that never come from text, besides begin, end and padding
 * @param userDefinedSymbols strings that are always one piece
 * @param unkPiece text of the unknown piece
 * @param bosPiece text of the begin piece
 * @param eosPiece text of the end piece
 * @param padPiece text of the padding piece; empty for none
 */
public record BpeTrainerConfig(
    int vocabularySize,
    double characterCoverage,
    boolean byteFallback,
    boolean addDummyPrefix,
    boolean removeExtraWhitespaces,
    boolean splitByUnicodeScript,
    boolean splitByNumber,
    boolean splitDigits,
    boolean splitByWhitespace,
    boolean allowWhitespaceOnlyPieces,
    int maxPieceLength,
    List<String> controlSymbols,
    List<String> userDefinedSymbols,
    String unkPiece,
    String bosPiece,
    String eosPiece,
    String padPiece) {

  /** Checks the numbers and that no special piece is named twice. */
  public BpeTrainerConfig {
    controlSymbols = List.copyOf(controlSymbols);
    userDefinedSymbols = List.copyOf(userDefinedSymbols);
    if (vocabularySize < 4 || vocabularySize > SentencePieceModel.MAX_PIECES) {
      throw new IllegalArgumentException(
          "vocabularySize " + vocabularySize + " is not in 4 to " + SentencePieceModel.MAX_PIECES);
    }
    if (!(characterCoverage > 0 && characterCoverage <= 1)) {
      throw new IllegalArgumentException(
          "characterCoverage " + characterCoverage + " is not above 0 and at most 1");
    }
    if (maxPieceLength < 1 || maxPieceLength > SentencePieceModel.MAX_PIECE_CHARS / 2) {
      throw new IllegalArgumentException(
          "maxPieceLength "
              + maxPieceLength
              + " is not in 1 to "
              + SentencePieceModel.MAX_PIECE_CHARS / 2);
    }
    Set<String> seen = new HashSet<>(List.of(""));
    for (String piece : List.of(unkPiece, bosPiece, eosPiece)) {
      requireNew(piece, seen);
    }
    if (!padPiece.isEmpty()) {
      requireNew(padPiece, seen);
    }
    controlSymbols.forEach(piece -> requireNew(piece, seen));
    userDefinedSymbols.forEach(piece -> requireNew(piece, seen));
  }

  private static void requireNew(String piece, Set<String> seen) {
    if (!seen.add(piece)) {
      throw new IllegalArgumentException(
          piece.isEmpty()
              ? "an empty special piece"
              : "special piece " + piece + " is named twice");
    }
    if (SentencePieceModel.byteValue(piece) >= 0) {
      throw new IllegalArgumentException("special piece " + piece + " is the name of a byte");
    }
  }

  /**
   * A tokenizer like Llama's: bytes for rare characters, single digits, a dummy prefix, spaces kept
   * as they are, no normalisation, no padding piece. Coverage is SentencePiece's default.
   */
  public static BpeTrainerConfig llama(int vocabularySize) {
    return new BpeTrainerConfig(
        vocabularySize,
        0.9995,
        true,
        true,
        false,
        true,
        true,
        true,
        true,
        true,
        16,
        List.of(),
        List.of(),
        "<unk>",
        "<s>",
        "</s>",
        "");
  }

  /** This, with other strings that are always one piece. */
  public BpeTrainerConfig withUserDefinedSymbols(List<String> symbols) {
    return new BpeTrainerConfig(
        vocabularySize,
        characterCoverage,
        byteFallback,
        addDummyPrefix,
        removeExtraWhitespaces,
        splitByUnicodeScript,
        splitByNumber,
        splitDigits,
        splitByWhitespace,
        allowWhitespaceOnlyPieces,
        maxPieceLength,
        controlSymbols,
        symbols,
        unkPiece,
        bosPiece,
        eosPiece,
        padPiece);
  }
}
