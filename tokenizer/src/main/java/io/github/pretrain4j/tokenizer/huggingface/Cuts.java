package io.github.pretrain4j.tokenizer.huggingface;

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
 * <p>Pairs are kept in a bit table by hash: a false one only loses a cut. The table's size depends
 * on the vocabulary alone, so cuts do not depend on anything else either.
 */
final class Cuts {
  private static final int MIN_BITS = 14;
  private static final int MAX_BITS = 24;
  private static final int BITS_PER_TOKEN = 16;
  private static final long FACTOR = 0x9E3779B97F4A7C15L;

  private final long[] pairs;
  private final int shift;

  /**
   * Of each character below U+10000: bit n - 1 if its last n bytes are the first half of a pair,
   * bit n + 3 if its first n bytes are the second half.
   */
  private final byte[] halves = new byte[0x10000];

  private final ByteIndex leftHalves = new ByteIndex();
  private final ByteIndex rightHalves = new ByteIndex();

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
      leftHalves.add(token, begin, at, 0);
      rightHalves.add(token, at, end, 0);
      long key = key(pack(token, begin, at), pack(token, at, end));
      pairs[(int) (key >>> 6)] |= 1L << key;
    }
  }

  /** To be called when all tokens are there. */
  void finish() {
    byte[] bytes = new byte[4];
    for (int codePoint = 0; codePoint < halves.length; codePoint++) {
      halves[codePoint] = (byte) halves(bytes, Utf8.put(codePoint, bytes, 0));
    }
  }

  private int halves(byte[] bytes, int length) {
    int found = 0;
    for (int n = 1; n <= length; n++) {
      if (leftHalves.find(bytes, length - n, length) >= 0) {
        found |= 1 << (n - 1);
      }
      if (rightHalves.find(bytes, 0, n) >= 0) {
        found |= 1 << (n + 3);
      }
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

  /**
   * Whether a text can be cut between the character in {@code [first, second)} and the one in
   * {@code [second, end)}.
   */
  boolean between(byte[] text, int first, int second, int end) {
    int firstLength = second - first;
    int secondLength = end - second;
    int lefts = halves(text, first, firstLength) & 15;
    int rights = halves(text, second, secondLength) >>> 4 & 15;
    if (lefts == 0 || rights == 0) {
      return true;
    }
    int left = pack(text, first, second);
    int right = pack(text, second, end);
    for (int l = lefts; l != 0; l &= l - 1) {
      int n = Integer.numberOfTrailingZeros(l) + 1;
      int ending = n == 4 ? left : left & ((1 << (8 * n)) - 1);
      for (int r = rights; r != 0; r &= r - 1) {
        int beginning = right >>> (8 * (secondLength - Integer.numberOfTrailingZeros(r) - 1));
        long key = key(ending, beginning);
        if ((pairs[(int) (key >>> 6)] >>> key & 1) != 0) {
          return false;
        }
      }
    }
    return true;
  }

  private int halves(byte[] text, int at, int length) {
    if (length < 4) {
      return halves[Utf8.codePoint(text, at)];
    }
    int found = 0;
    for (int n = 1; n <= 4; n++) {
      found |= leftHalves.find(text, at + 4 - n, at + 4) >= 0 ? 1 << (n - 1) : 0;
      found |= rightHalves.find(text, at, at + n) >= 0 ? 1 << (n + 3) : 0;
    }
    return found;
  }
}
