package io.github.pretrain4j.tokenizer.sentencepiece;

import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.function.IntPredicate;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * The vocabulary of a model, whatever its kind: pieces by id and ids by text. Immutable.
 *
 * <p>There are two maps from text to id: <i>ordinary</i> pieces (NORMAL, USER_DEFINED, UNUSED) and
 * <i>reserved</i> ones (UNKNOWN, CONTROL, BYTE). One text may be in both; then the reserved comes
 * first.
 */
final class PieceTable {
  private final SentencePieceModel model;
  private final List<SentencePieceModel.Piece> pieces;
  private final PieceType[] type;
  private final PieceTexts texts;
  private final Map<String, Integer> idOfText;
  private final int[] byteIds = new int[256];
  private final int unknownId;

  PieceTable(SentencePieceModel model) {
    this.model = model;
    this.pieces = model.pieces();
    this.texts = new PieceTexts(pieces, model.normalizer().escapeWhitespaces);
    this.type = new PieceType[pieces.size()];
    this.idOfText = new HashMap<>(pieces.size() * 2);
    int unknown = -1;
    for (int id = 0; id < type.length; id++) {
      SentencePieceModel.Piece piece = pieces.get(id);
      type[id] = piece.type();
      if (piece.type().mergeable()) {
        idOfText.putIfAbsent(piece.text(), id);
      } else {
        idOfText.put(piece.text(), id);
      }
      if (piece.type() == PieceType.UNKNOWN) {
        unknown = id;
      } else if (piece.type() == PieceType.BYTE) {
        byteIds[SentencePieceModel.byteValue(piece.text())] = id;
      }
    }
    unknownId = unknown;
  }

  int size() {
    return type.length;
  }

  List<SentencePieceModel.Piece> pieces() {
    return pieces;
  }

  /**
   * A piece.
   *
   * @throws IllegalArgumentException if there is no such id
   */
  SentencePieceModel.Piece piece(int id) {
    if (id < 0 || id >= type.length) {
      throw new IllegalArgumentException("id " + id + " is not in 0 to " + (type.length - 1));
    }
    return pieces.get(id);
  }

  PieceType type(int id) {
    return type[id];
  }

  PieceTexts texts() {
    return texts;
  }

  Path file() {
    return model.file();
  }

  boolean escapesSpaces() {
    return model.normalizer().escapeWhitespaces;
  }

  /** Whether characters without a piece become BYTE pieces. */
  boolean byteFallback() {
    return model.byteFallback();
  }

  int byteId(byte value) {
    return byteIds[value & 0xFF];
  }

  /** The ids of the BYTE pieces by value; for reading only. */
  int[] byteIds() {
    return byteIds;
  }

  int unknownId() {
    return unknownId;
  }

  boolean has(PieceType wanted) {
    return IntStream.range(0, type.length).anyMatch(id -> type[id] == wanted);
  }

  /** The id of a text, the unknown id if it is no piece. */
  int id(String text) {
    return idOfText.getOrDefault(text, unknownId);
  }

  OptionalInt find(String text) {
    Integer id = idOfText.get(text);
    return id == null ? OptionalInt.empty() : OptionalInt.of(id);
  }

  /** The pieces that satisfy a condition and can occur in prepared text. */
  int[] occurring(IntPredicate condition) {
    return IntStream.range(0, type.length).filter(texts::canOccur).filter(condition).toArray();
  }

  /** The USER_DEFINED pieces as they occur in prepared text; null if there are none. */
  @Nullable PieceTrie userSymbols() {
    return PieceTrie.ofUserSymbols(pieces, texts);
  }

  /** The USER_DEFINED pieces as they are written in plain text; null if there are none. */
  @Nullable PieceTrie plainUserSymbols() {
    return has(PieceType.USER_DEFINED)
        ? PieceTrie.ofUserSymbols(pieces, new PieceTexts(pieces, false))
        : null;
  }
}
