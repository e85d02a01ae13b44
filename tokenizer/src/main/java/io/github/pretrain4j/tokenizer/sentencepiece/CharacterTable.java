package io.github.pretrain4j.tokenizer.sentencepiece;

import java.util.Arrays;
import java.util.List;
import java.util.function.IntConsumer;
import java.util.function.IntUnaryOperator;

/**
 * What encoding must know of a character at first sight: the id it has alone, and whether it may
 * stand beside another inside one piece. Immutable.
 *
 * <p>Two neighbouring characters that are neighbours in no piece can never be in one symbol, so a
 * text may be cut between them and its parts be encoded alone: same symbols, same order, same ids.
 * {@link #joined} answers that from two bits of the characters and a bit table indexed by a hash of
 * the pair; a collision only loses a cut.
 */
final class CharacterTable {
  /** Low bits of {@link #info}: the id. */
  static final int ID_MASK = (1 << 24) - 1;

  /** The id is not all there is to say: unknown, or never produced from text. */
  static final int IS_SPECIAL = 1 << 24;

  /** Some piece has a character after this one. */
  static final int JOINS_NEXT = 1 << 25;

  /** Some piece has a character before this one. */
  static final int JOINS_PREVIOUS = 1 << 26;

  private static final int ASCII = 128;

  private final int[] basicPlane = new int[1 << 16];
  private final LongIntMap supplementary = new LongIntMap(8);
  private final int unknownInfo;
  private final long[] joinedBits;

  /** For an ASCII character, the ASCII characters it may stand before, as 128 bits. */
  private final long[] joinedAscii = new long[2 * ASCII];

  /**
   * Reads the pieces.
   *
   * @param isWhole whether a piece may be found in a text
   * @param idAlone the id of a code point alone, with {@link #IS_SPECIAL} if that is not all
   * @param unknownInfo what holds for a code point in no piece
   * @param spaces what {@link CutRule#BEFORE_SPACES} cuts before
   */
  CharacterTable(
      List<SentencePieceModel.Piece> pieces,
      PieceTexts texts,
      boolean[] isWhole,
      IntUnaryOperator idAlone,
      int unknownInfo,
      CutRule rule,
      String spaces) {
    this.unknownInfo = unknownInfo;
    Arrays.fill(basicPlane, unknownInfo);
    Neighbours neighbours = new Neighbours(pieces, texts, isWhole);
    neighbours.forEachCharacter(c -> setInfo(c, idAlone.applyAsInt(c)));
    switch (rule) {
      case PIECES -> {
        neighbours.forEachPair(
            (left, right) -> {
              setInfo(left, info(left) | JOINS_NEXT);
              setInfo(right, info(right) | JOINS_PREVIOUS);
            });
        joinedBits = joinedBits(neighbours, pieces.size());
        neighbours.forEachPair(this::joinAscii);
      }
      case BEFORE_SPACES -> {
        joinedBits = new long[0];
        joinAllButBeforeSpaces(spaces);
      }
      default -> joinedBits = new long[0];
    }
  }

  /** Where a text may be cut. */
  enum CutRule {
    /** Between neighbours that are neighbours in no piece. */
    PIECES,
    /** Before every space and nowhere else. */
    BEFORE_SPACES,
    /** Between all characters. */
    EVERYWHERE
  }

  private void joinAllButBeforeSpaces(String spaces) {
    for (int c = 0; c < basicPlane.length; c++) {
      basicPlane[c] |= spaces.indexOf(c) >= 0 ? JOINS_NEXT : JOINS_NEXT | JOINS_PREVIOUS;
    }
    for (int c = 0; c < ASCII; c++) {
      joinedAscii[2 * c] = spaces.indexOf(' ') >= 0 ? ~(1L << ' ') : -1;
      joinedAscii[2 * c + 1] = -1;
    }
  }

  private void joinAscii(int left, int right) {
    if ((left | right) < ASCII) {
      joinedAscii[2 * left + (right >> 6)] |= 1L << right;
    }
  }

  private void setInfo(int codePoint, int info) {
    if (codePoint < basicPlane.length) {
      basicPlane[codePoint] = info;
    } else {
      supplementary.put(codePoint, info);
    }
  }

  /** Id and flags of a character. */
  int info(int codePoint) {
    if (codePoint < basicPlane.length) {
      return basicPlane[codePoint];
    }
    int info = supplementary.get(codePoint);
    return info == LongIntMap.ABSENT ? unknownInfo : info;
  }

  /** Whether two ASCII characters may be neighbours inside one piece. */
  boolean joinedAscii(int left, int right) {
    return (joinedAscii[2 * left + (right >> 6)] >>> right & 1) != 0;
  }

  /** Whether two characters may be neighbours inside one piece. */
  boolean joined(int left, int leftInfo, int right, int rightInfo) {
    if ((leftInfo & JOINS_NEXT) == 0 || (rightInfo & JOINS_PREVIOUS) == 0) {
      return false;
    }
    if (joinedBits.length == 0) {
      return true;
    }
    int bit = joinedBit(left, right, joinedBits);
    return (joinedBits[bit >>> 6] & (1L << bit)) != 0;
  }

  private static int joinedBit(int left, int right, long[] bits) {
    long mixed = LongIntMap.pair(left, right) * PieceTexts.FACTOR;
    return (int) (mixed >>> 34) & ((bits.length << 6) - 1);
  }

  /** About 64 bits for each pair of neighbours, so that one answer in 64 is needlessly yes. */
  private static long[] joinedBits(Neighbours neighbours, int pieceCount) {
    LongIntMap distinct = new LongIntMap(pieceCount);
    neighbours.forEachPair((left, right) -> distinct.put(LongIntMap.pair(left, right), 0));
    int words = Integer.highestOneBit(Math.min(1 << 18, Math.max(16, distinct.size())));
    long[] bits = new long[words];
    neighbours.forEachPair(
        (left, right) -> {
          int bit = joinedBit(left, right, bits);
          bits[bit >>> 6] |= 1L << bit;
        });
    return bits;
  }

  /**
   * The characters of the pieces, and which follow which. A space byte of prepared text may also be
   * there as U+2581, so both are named wherever one occurs.
   */
  private static final class Neighbours {
    private final List<SentencePieceModel.Piece> pieces;
    private final PieceTexts texts;
    private final boolean[] isWhole;

    Neighbours(List<SentencePieceModel.Piece> pieces, PieceTexts texts, boolean[] isWhole) {
      this.pieces = pieces;
      this.texts = texts;
      this.isWhole = isWhole;
    }

    void forEachCharacter(IntConsumer consumer) {
      for (int id = 0; id < pieces.size(); id++) {
        if (texts.canOccur(id)) {
          pieces.get(id).text().codePoints().forEach(c -> both(c, consumer));
        }
      }
    }

    private static void both(int c, IntConsumer consumer) {
      consumer.accept(c);
      if (c == Normalizer.ESCAPED_SPACE) {
        consumer.accept(' ');
      }
    }

    void forEachPair(PairConsumer consumer) {
      for (int id = 0; id < pieces.size(); id++) {
        if (!isWhole[id] || !texts.canOccur(id)) {
          continue;
        }
        String text = pieces.get(id).text();
        int previous = text.codePointAt(0);
        for (int i = Character.charCount(previous); i < text.length(); ) {
          int next = text.codePointAt(i);
          int left = previous;
          both(next, right -> both(left, l -> consumer.accept(l, right)));
          previous = next;
          i += Character.charCount(next);
        }
      }
    }
  }

  @FunctionalInterface
  private interface PairConsumer {
    void accept(int left, int right);
  }
}
