package io.github.pretrain4j.tokenizer.sentencepiece;

import java.util.Arrays;
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
   * @param idAlone the id of a code point alone, with {@link #IS_SPECIAL} if that is not all
   * @param unknownInfo what holds for a code point in no piece
   */
  CharacterTable(PieceTable pieces, IntUnaryOperator idAlone, int unknownInfo, CutRule rule) {
    boolean joinsAll = rule == CutRule.BEFORE_SPACES;
    this.unknownInfo = joinsAll ? unknownInfo | JOINS_NEXT | JOINS_PREVIOUS : unknownInfo;
    Arrays.fill(basicPlane, this.unknownInfo);
    LongIntMap pairs = readPieces(pieces, idAlone);
    if (pieces.escapesSpaces()) {
      setInfo(' ', idAlone.applyAsInt(' ') | (this.unknownInfo & (JOINS_NEXT | JOINS_PREVIOUS)));
    }
    switch (rule) {
      case PIECES -> {
        // About 64 bits for each pair, so that one answer in 64 is needlessly yes.
        joinedBits = new long[Integer.highestOneBit(Math.min(1 << 18, Math.max(16, pairs.size())))];
        pairs.forEachKey(pair -> join((int) (pair >>> 32), (int) pair, pieces.escapesSpaces()));
      }
      case BEFORE_SPACES -> {
        joinedBits = new long[0];
        Arrays.fill(joinedAscii, -1);
        cutBefore(Normalizer.ESCAPED_SPACE);
        if (pieces.escapesSpaces()) {
          cutBefore(' ');
        }
      }
      case EVERYWHERE -> joinedBits = new long[0];
      default -> throw new IllegalStateException("rule " + rule);
    }
  }

  /** Notes every character of a piece and returns which follow which in a piece. */
  private LongIntMap readPieces(PieceTable pieces, IntUnaryOperator idAlone) {
    PieceTexts texts = pieces.texts();
    byte[] bytes = texts.bytes();
    LongIntMap pairs = new LongIntMap(pieces.size());
    for (int id = 0; id < pieces.size(); id++) {
      int previous = -1;
      for (int at = texts.start(id); at < texts.end(id); ) {
        int length = Utf8.lengthByLead(bytes[at]);
        int c = Utf8.codePoint(bytes, at, length);
        if (c == ' ' && pieces.escapesSpaces()) {
          c = Normalizer.ESCAPED_SPACE;
        }
        if (info(c) == unknownInfo) {
          setInfo(c, idAlone.applyAsInt(c) | (unknownInfo & (JOINS_NEXT | JOINS_PREVIOUS)));
        }
        if (previous >= 0 && pieces.type(id).mergeable()) {
          pairs.put(LongIntMap.pair(previous, c), 0);
        }
        previous = c;
        at += length;
      }
    }
    return pairs;
  }

  /**
   * Notes that two characters are neighbours in a piece. Where spaces are escaped, U+2581 may be in
   * prepared text as a space byte or as itself.
   */
  private void join(int left, int right, boolean spacesAreEscaped) {
    if (spacesAreEscaped && left == Normalizer.ESCAPED_SPACE) {
      join(' ', right, false);
      if (right == Normalizer.ESCAPED_SPACE) {
        join(' ', ' ', false);
      }
    }
    if (spacesAreEscaped && right == Normalizer.ESCAPED_SPACE) {
      join(left, ' ', false);
    }
    setInfo(left, info(left) | JOINS_NEXT);
    setInfo(right, info(right) | JOINS_PREVIOUS);
    int bit = joinedBit(left, right, joinedBits);
    joinedBits[bit >>> 6] |= 1L << bit;
    if ((left | right) < ASCII) {
      joinedAscii[2 * left + (right >> 6)] |= 1L << right;
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

  private void cutBefore(int space) {
    setInfo(space, info(space) & ~JOINS_PREVIOUS);
    for (int c = 0; c < ASCII && space < ASCII; c++) {
      joinedAscii[2 * c + (space >> 6)] &= ~(1L << space);
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

  /** {@link #info} of a character below U+10000. */
  int basicInfo(int c) {
    return basicPlane[c];
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
}
