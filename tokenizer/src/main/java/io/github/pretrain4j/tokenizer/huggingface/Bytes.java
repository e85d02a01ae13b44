package io.github.pretrain4j.tokenizer.huggingface;

import java.util.Arrays;

/**
 * A growing array of bytes that its owner reuses. Behind the last byte there is always room for
 * {@link #PADDING} more, so that a long can be read from any of the next.
 */
final class Bytes {
  static final int PADDING = 32;

  /** What one text may leave behind for the next. */
  private static final int KEPT = 1 << 20;

  byte[] array = new byte[256];
  int length;

  /** Makes room for {@code more} bytes behind the last one. */
  byte[] reserve(long more) {
    long needed = length + more + PADDING;
    if (needed > array.length) {
      if (needed > Integer.MAX_VALUE - 8) {
        throw new IllegalArgumentException("a text of more than 2^31 bytes");
      }
      array = Arrays.copyOf(array, (int) Math.min(needed + (needed >> 1), Integer.MAX_VALUE - 8));
    }
    return array;
  }

  void add(byte[] source, int from, int to) {
    reserve(to - from);
    System.arraycopy(source, from, array, length, to - from);
    length += to - from;
  }

  void addCodePoint(int codePoint) {
    reserve(4);
    length = Utf8.put(codePoint, array, length);
  }

  void clear() {
    length = 0;
    if (array.length > KEPT) {
      array = new byte[256];
    }
  }
}
