package io.github.pretrain4j.tokenizer.sentencepiece;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * The pieces of a new model that do not come from its text. Ids: unknown 0, begin 1, end 2, padding
 * 3 if there is a padding piece; then control symbols, user-defined symbols, bytes.
 *
 * @param unkPiece text of the unknown piece
 * @param bosPiece text of the begin piece
 * @param eosPiece text of the end piece
 * @param padPiece text of the padding piece; empty for none
 * @param controlSymbols pieces that never come from text, besides begin, end and padding
 * @param userDefinedSymbols strings that are always one piece
 */
public record SpecialPieces(
    String unkPiece,
    String bosPiece,
    String eosPiece,
    String padPiece,
    List<String> controlSymbols,
    List<String> userDefinedSymbols) {

  /** Checks that none is empty, named twice or named like a byte. */
  public SpecialPieces {
    controlSymbols = List.copyOf(controlSymbols);
    userDefinedSymbols = List.copyOf(userDefinedSymbols);
    Set<String> seen = new HashSet<>();
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
    if (piece.isEmpty()) {
      throw new IllegalArgumentException("an empty special piece");
    }
    if (!seen.add(piece)) {
      throw new IllegalArgumentException("special piece " + piece + " is named twice");
    }
    if (SentencePieceModel.byteValue(piece) >= 0) {
      throw new IllegalArgumentException("special piece " + piece + " is the name of a byte");
    }
  }

  /** {@code <unk>}, {@code <s>} and {@code </s>}. */
  public static SpecialPieces defaults() {
    return new SpecialPieces("<unk>", "<s>", "</s>", "", List.of(), List.of());
  }

  /** This, with other strings that are always one piece. */
  public SpecialPieces withUserDefinedSymbols(List<String> symbols) {
    return new SpecialPieces(unkPiece, bosPiece, eosPiece, padPiece, controlSymbols, symbols);
  }

  /** In the order of ids. */
  List<SentencePieceModel.Piece> pieces(boolean byteFallback) {
    List<SentencePieceModel.Piece> pieces = new ArrayList<>();
    pieces.add(piece(unkPiece, PieceType.UNKNOWN));
    pieces.add(piece(bosPiece, PieceType.CONTROL));
    pieces.add(piece(eosPiece, PieceType.CONTROL));
    if (!padPiece.isEmpty()) {
      pieces.add(piece(padPiece, PieceType.CONTROL));
    }
    controlSymbols.forEach(symbol -> pieces.add(piece(symbol, PieceType.CONTROL)));
    userDefinedSymbols.forEach(symbol -> pieces.add(piece(symbol, PieceType.USER_DEFINED)));
    if (byteFallback) {
      for (int value = 0; value < 256; value++) {
        pieces.add(piece("<0x%02X>".formatted(value), PieceType.BYTE));
      }
    }
    return pieces;
  }

  private static SentencePieceModel.Piece piece(String text, PieceType type) {
    return new SentencePieceModel.Piece(text, 0, type);
  }
}
