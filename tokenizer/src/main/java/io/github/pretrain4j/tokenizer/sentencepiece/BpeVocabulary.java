package io.github.pretrain4j.tokenizer.sentencepiece;

import io.github.pretrain4j.tokenizer.CorruptTokenizerException;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * What a BPE model becomes for encoding: tables over integers, no strings. Immutable.
 *
 * <p>A <i>symbol</i> is what merging works on: the id of an ordinary piece, or an extra number for
 * a character that occurs in pieces but is none, or {@link #unknownSymbol}, or {@link
 * #frozenSymbol} of a user-defined piece that was found in the text and must not merge. The table
 * of merges holds every way to split a piece into two symbols.
 *
 * <p>Two neighbouring characters that are neighbours in no piece can never be in one symbol, so a
 * text may be cut between them and its parts be encoded alone: same merges, same order, same ids.
 * {@link #joined} answers that from a bit table indexed by a hash; a collision only loses a cut.
 */
final class BpeVocabulary {
  /**
   * Bounds the memory a hostile model can claim; the largest real ones have a few hundred thousand.
   */
  private static final int MAX_MERGES = 1 << 24;

  static final int NO_MERGE = LongIntMap.ABSENT;

  final int pieceCount;
  final int unknownId;
  final boolean byteFallback;
  final boolean hasUnused;

  /** Ids of the 256 BYTE pieces, if there is byte fallback. */
  final int[] byteIds = new int[256];

  /** Order of merging, lower first; pieces of equal score share a rank. By piece. */
  final int[] rank;

  /** Types of the pieces. By piece. */
  final PieceType[] type;

  /** UTF-16 length. By symbol, extra ones included. */
  final int[] symbolLength;

  /** The id a symbol ends as: reserved pieces come first, then ordinary ones, then unknown. */
  final int[] finalId;

  final int unknownSymbol;

  private final int[] symbolOfChar = new int[1 << 16];
  private final LongIntMap symbolOfSupplementary = new LongIntMap(8);
  private final LongIntMap merges;
  private final long[] joinedBits;

  BpeVocabulary(SentencePieceModel model) throws CorruptTokenizerException {
    List<SentencePieceModel.Piece> pieces = model.pieces();
    pieceCount = pieces.size();
    byteFallback = model.byteFallback();
    type = new PieceType[pieceCount];
    Map<String, Integer> reserved = new HashMap<>();
    int unknown = -1;
    boolean unused = false;
    for (int id = 0; id < pieceCount; id++) {
      SentencePieceModel.Piece piece = pieces.get(id);
      type[id] = piece.type();
      unused |= piece.type() == PieceType.UNUSED;
      if (!piece.type().mergeable()) {
        reserved.put(piece.text(), id);
      }
      if (piece.type() == PieceType.UNKNOWN) {
        unknown = id;
      } else if (piece.type() == PieceType.BYTE) {
        byteIds[SentencePieceModel.byteValue(piece.text())] = id;
      }
    }
    unknownId = unknown;
    hasUnused = unused;
    rank = ranks(pieces);

    PieceIndex index = new PieceIndex(pieces);
    int symbolCount = numberCharacters(pieces);
    unknownSymbol = symbolCount;
    symbolLength = new int[symbolCount];
    finalId = new int[symbolCount];
    Arrays.fill(finalId, unknownId);
    for (int id = 0; id < pieceCount; id++) {
      String text = pieces.get(id).text();
      symbolLength[id] = text.length();
      finalId[id] = reserved.getOrDefault(text, id);
      int codePoint = text.codePointAt(0);
      if (text.length() == Character.charCount(codePoint) && !type[id].mergeable()) {
        int symbol = symbolOf(codePoint);
        finalId[symbol] = id;
      }
    }
    for (SentencePieceModel.Piece piece : pieces) {
      piece.text().codePoints().forEach(c -> symbolLength[symbolOf(c)] = Character.charCount(c));
    }
    joinedBits = joinedBits(pieces);
    merges = merges(index, model);
  }

  /** Gives every character of a piece its symbol and returns the number of symbols. */
  private int numberCharacters(List<SentencePieceModel.Piece> pieces) {
    Arrays.fill(symbolOfChar, -1);
    for (int id = 0; id < pieceCount; id++) {
      String text = pieces.get(id).text();
      int codePoint = text.codePointAt(0);
      if (type[id].mergeable() && text.length() == Character.charCount(codePoint)) {
        setSymbol(codePoint, id);
      }
    }
    int next = pieceCount;
    for (int id = 0; id < pieceCount; id++) {
      String text = pieces.get(id).text();
      for (int i = 0; i < text.length(); ) {
        int codePoint = text.codePointAt(i);
        if (rawSymbol(codePoint) < 0) {
          setSymbol(codePoint, next++);
        }
        i += Character.charCount(codePoint);
      }
    }
    return next;
  }

  private void setSymbol(int codePoint, int symbol) {
    if (codePoint < 0x10000) {
      symbolOfChar[codePoint] = symbol;
    } else {
      symbolOfSupplementary.put(codePoint, symbol);
    }
  }

  private int rawSymbol(int codePoint) {
    return codePoint < 0x10000 ? symbolOfChar[codePoint] : symbolOfSupplementary.get(codePoint);
  }

  /** The symbol of one character, or {@link #unknownSymbol}. */
  int symbolOf(int codePoint) {
    int symbol = rawSymbol(codePoint);
    return symbol < 0 ? unknownSymbol : symbol;
  }

  /** The symbol of a user-defined piece found in the text. */
  int frozenSymbol(int id) {
    return unknownSymbol + 1 + id;
  }

  boolean isFrozen(int symbol) {
    return symbol > unknownSymbol;
  }

  /** The piece of a {@link #frozenSymbol}. */
  int frozenPiece(int symbol) {
    return symbol - unknownSymbol - 1;
  }

  /** The piece that two neighbouring symbols merge into, or {@link #NO_MERGE}. */
  int merge(int left, int right) {
    return merges.get(LongIntMap.pair(left, right));
  }

  /** Whether the characters may be neighbours inside one piece. */
  boolean joined(int left, int right) {
    int bit = joinedBit(left, right, joinedBits);
    return (joinedBits[bit >>> 6] & (1L << bit)) != 0;
  }

  private static int joinedBit(int left, int right, long[] bits) {
    long mixed = LongIntMap.pair(left, right) * PieceIndex.FACTOR;
    return (int) (mixed >>> 34) & ((bits.length << 6) - 1);
  }

  /** About 64 bits for each pair of neighbours, so that one answer in 64 is needlessly yes. */
  private long[] joinedBits(List<SentencePieceModel.Piece> pieces) {
    LongIntMap distinct = new LongIntMap(pieceCount);
    forEachNeighbours(pieces, (left, right) -> distinct.put(LongIntMap.pair(left, right), 0));
    int words = Integer.highestOneBit(Math.min(1 << 18, Math.max(16, distinct.size())));
    long[] bits = new long[words];
    forEachNeighbours(
        pieces,
        (left, right) -> {
          int bit = joinedBit(left, right, bits);
          bits[bit >>> 6] |= 1L << bit;
        });
    return bits;
  }

  private void forEachNeighbours(
      List<SentencePieceModel.Piece> pieces, NeighbourConsumer consumer) {
    for (int id = 0; id < pieceCount; id++) {
      if (type[id].mergeable()) {
        int[] codePoints = pieces.get(id).text().codePoints().toArray();
        for (int i = 1; i < codePoints.length; i++) {
          consumer.accept(codePoints[i - 1], codePoints[i]);
        }
      }
    }
  }

  @FunctionalInterface
  private interface NeighbourConsumer {
    void accept(int left, int right);
  }

  private LongIntMap merges(PieceIndex index, SentencePieceModel model)
      throws CorruptTokenizerException {
    LongIntMap table = new LongIntMap(pieceCount * 2);
    char[] texts = index.texts();
    int[] prefixSymbol = new int[SentencePieceModel.MAX_PIECE_CHARS];
    for (int id = 0; id < pieceCount; id++) {
      int start = index.start(id);
      int end = index.end(id);
      if (!type[id].mergeable() || end - start < 2) {
        continue;
      }
      long hash = 0;
      long power = 1;
      for (int i = start; i < end - 1; i++) {
        hash += (texts[i] + 1) * power;
        power *= PieceIndex.FACTOR;
        prefixSymbol[i - start] = symbolOf(index, start, i + 1, hash);
      }
      hash = 0;
      for (int i = end - 1; i > start; i--) {
        hash = PieceIndex.extendFront(hash, texts[i]);
        int left = prefixSymbol[i - 1 - start];
        int right = left < 0 ? -1 : symbolOf(index, i, end, hash);
        if (right >= 0) {
          if (table.size() == MAX_MERGES) {
            throw new CorruptTokenizerException(
                model.file(), 0, "ways to split the pieces", "at most " + MAX_MERGES, "more");
          }
          table.put(LongIntMap.pair(left, right), id);
        }
      }
    }
    return table;
  }

  /** The symbol of a part of a piece: an ordinary piece, or one character; -1 if neither. */
  private int symbolOf(PieceIndex index, int from, int to, long hash) {
    char[] texts = index.texts();
    int id = index.find(from, to, hash);
    if (id >= 0) {
      return id;
    }
    int codePoint = Utf8.codePointAt(texts, from, to);
    boolean oneCharacter =
        to - from == Character.charCount(codePoint)
            && !(to - from == 1 && Character.isSurrogate(texts[from]));
    return oneCharacter ? symbolOf(codePoint) : -1;
  }

  private int[] ranks(List<SentencePieceModel.Piece> pieces) {
    float[] scores = new float[pieceCount];
    for (int id = 0; id < pieceCount; id++) {
      scores[id] = pieces.get(id).score() + 0.0f; // -0.0 and 0.0 are one score
    }
    float[] sorted = scores.clone();
    Arrays.sort(sorted);
    int[] result = new int[pieceCount];
    for (int id = 0; id < pieceCount; id++) {
      int at = Arrays.binarySearch(sorted, scores[id]);
      while (at > 0 && sorted[at - 1] == scores[id]) {
        at--;
      }
      result[id] = pieceCount - 1 - at;
    }
    return result;
  }
}
