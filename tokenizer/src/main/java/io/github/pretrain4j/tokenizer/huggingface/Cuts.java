package io.github.pretrain4j.tokenizer.huggingface;

import java.util.Arrays;

/**
 * Between which two characters a text can be cut without changing its ids. Immutable.
 *
 * <p>A symbol that spans the boundary of two characters is a token with both in it, or with the end
 * of the first and the beginning of the second: byte-level tokens may begin and end inside a
 * character. So each place inside a token where a character may begin gives a pair: the bytes
 * before it back to the beginning of the character or of the token, and those behind it up to the
 * end of the character or of the token. If no ending of the first character and no beginning of the
 * second are such a pair, no symbol ever spans the boundary, and both sides can be encoded each on
 * its own.
 *
 * <p>Almost all pairs are of two whole characters; the flags of the characters tell when others
 * must be looked for. Pairs are kept in a bit table by hash: a false one only loses a cut. The
 * table's size depends on the vocabulary alone, so cuts do not depend on anything else either.
 */
final class Cuts {
  private static final int MIN_BITS = 14;
  private static final int MAX_BITS = 24;
  private static final int BITS_PER_TOKEN = 4;
  private static final long FACTOR = 0x9E3779B97F4A7C15L;

  // Flags of a character that comes first. The three kinds of pairs with a half that is no whole
  // character have the same bits in the flags of the second, there SECOND_SHIFT higher.
  private static final int WHOLE_WITH_BEGINNING = 1;
  private static final int ENDING_WITH_WHOLE = 1 << 1;
  private static final int ENDING_WITH_BEGINNING = 1 << 2;
  private static final int SECOND_SHIFT = 3;
  private static final int PARTIAL = 7;
  private static final int WHOLE_FIRST = 1 << 6;
  private static final int WHOLE_SECOND = 1 << 7;

  private final long[] pairs;
  private final int shift;

  /** Of each character below U+10000 its flags. */
  private final byte[] flags = new byte[0x10000];

  private final Halves first = new Halves();
  private final Halves second = new Halves();

  /** The first or second halves of pairs, with flags. */
  private static final class Halves {
    private final ByteIndex index = new ByteIndex();
    private byte[] flags = new byte[64];

    void add(byte[] bytes, int from, int to, int flag) {
      int at = index.find(bytes, from, to);
      if (at < 0) {
        at = index.size();
        index.add(bytes, from, to, at);
        if (at == flags.length) {
          flags = Arrays.copyOf(flags, 2 * at);
        }
      }
      flags[at] |= (byte) flag;
    }

    int flags(byte[] bytes, int from, int to) {
      int at = index.find(bytes, from, to);
      return at < 0 ? 0 : flags[at];
    }
  }

  /** Cuts for about so many tokens, which {@link #add} brings. */
  Cuts(int tokens) {
    int bits = MIN_BITS;
    while (bits < MAX_BITS && 1L << bits < (long) BITS_PER_TOKEN * tokens) {
      bits++;
    }
    pairs = new long[1 << (bits - 6)];
    shift = 64 - bits;
  }

  /** Adds the pairs of a token. */
  void add(byte[] token, int from, int to) {
    for (int at = from + 1; at < to; at++) {
      if (Utf8.isContinuation(token[at])) {
        continue;
      }
      int begin = at - 1;
      while (begin > from && at - begin < 4 && Utf8.isContinuation(token[begin])) {
        begin--;
      }
      int end = at + 1;
      while (end < to && end - at < 4 && Utf8.isContinuation(token[end])) {
        end++;
      }
      addPair(token, begin, at, end);
    }
  }

  private void addPair(byte[] token, int begin, int at, int end) {
    boolean wholeFirst = isWhole(token, begin, at);
    boolean wholeSecond = isWhole(token, at, end);
    if (wholeFirst && wholeSecond) {
      first.add(token, begin, at, WHOLE_FIRST);
      second.add(token, at, end, WHOLE_SECOND);
    } else {
      int flag =
          wholeFirst
              ? WHOLE_WITH_BEGINNING
              : wholeSecond ? ENDING_WITH_WHOLE : ENDING_WITH_BEGINNING;
      first.add(token, begin, at, flag);
      second.add(token, at, end, flag << SECOND_SHIFT);
    }
    long key = key(pack(token, begin, at), pack(token, at, end));
    pairs[(int) (key >>> 6)] |= 1L << key;
  }

  private static boolean isWhole(byte[] bytes, int from, int to) {
    return !Utf8.isContinuation(bytes[from]) && Utf8.length(bytes[from]) == to - from;
  }

  /** To be called when all tokens are there. */
  void finish() {
    byte[] bytes = new byte[4];
    for (int codePoint = 0; codePoint < flags.length; codePoint++) {
      flags[codePoint] = (byte) findFlags(bytes, 0, Utf8.put(codePoint, bytes, 0));
    }
  }

  private int findFlags(byte[] bytes, int from, int to) {
    int found = 0;
    for (int n = 1; n <= to - from; n++) {
      found |= first.flags(bytes, to - n, to) | second.flags(bytes, from, from + n);
    }
    return found;
  }

  private static int pack(byte[] bytes, int from, int to) {
    int packed = 0;
    for (int i = from; i < to; i++) {
      packed = packed << 8 | (bytes[i] & 0xFF);
    }
    return packed;
  }

  private long key(int left, int right) {
    return (((long) left << 32 | (right & 0xFFFFFFFFL)) * FACTOR) >>> shift;
  }

  private boolean isPair(int left, int right) {
    long key = key(left, right);
    return (pairs[(int) (key >>> 6)] >>> key & 1) != 0;
  }

  /**
   * Where the stretch that begins at {@code from} can be cut off: behind its first character, or a
   * later one, or at {@code to}.
   */
  int next(byte[] text, int from, int to) {
    int begin = from;
    int at = from + Utf8.length(text[from]);
    int left = pack(text, from, at);
    int leftFlags = flags(text, from, at);
    while (at < to) {
      int end = at + Utf8.length(text[at]);
      int right = pack(text, at, end);
      int rightFlags = flags(text, at, end);
      boolean whole = (leftFlags & rightFlags >>> 1 & WHOLE_FIRST) != 0 && isPair(left, right);
      boolean partial = (leftFlags & rightFlags >>> SECOND_SHIFT & PARTIAL) != 0;
      if (!whole && !(partial && hasPair(left, at - begin, right, end - at))) {
        return at;
      }
      begin = at;
      at = end;
      left = right;
      leftFlags = rightFlags;
    }
    return to;
  }

  /** Whether any ending of a character and any beginning of the next are a pair. */
  private boolean hasPair(int left, int leftLength, int right, int rightLength) {
    for (int l = 1; l <= leftLength; l++) {
      for (int r = 1; r <= rightLength; r++) {
        if (isPair(left & (-1 >>> (32 - 8 * l)), right >>> (8 * (rightLength - r)))) {
          return true;
        }
      }
    }
    return false;
  }

  private int flags(byte[] text, int from, int to) {
    int found = to - from < 4 ? flags[Utf8.codePoint(text, from)] : findFlags(text, from, to);
    return found & 0xFF;
  }
}
