package io.github.pretrain4j.dataset.preprocess;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/** Strict checking of UTF-8, as Python's decoder does it: no long forms, no surrogates. */
final class Utf8 {
  private static final VarHandle LONGS =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
  private static final long HIGH_BITS = 0x8080_8080_8080_8080L;

  private static final long TWO_OF_THREE_MASK = 0x0000_c0c0_f0c0_c0f0L;
  private static final long TWO_OF_THREE = 0x0000_8080_e080_80e0L;

  /** Bits 0 and 13: after e0 and ed not every second byte is right. */
  private static final int NARROW_SECOND = 1 | 1 << 13;

  private Utf8() {}

  /** The index of the first byte that is no UTF-8, or -1 if {@code from} to {@code to} is valid. */
  static int firstInvalid(byte[] bytes, int from, int to) {
    int i = from;
    while (i < to) {
      if (bytes[i] >= 0) {
        while (i + 8 <= to && ((long) LONGS.get(bytes, i) & HIGH_BITS) == 0) {
          i += 8;
        }
        while (i < to && bytes[i] >= 0) {
          i++;
        }
        continue;
      }
      int length = sequenceLength(bytes, i, to);
      if (length == 0) {
        return i;
      }
      i += length;
    }
    return -1;
  }

  /**
   * The end of the characters of several bytes each that start here.
   *
   * @return index of the first byte below 80; or {@code ~i} if the byte at {@code i} is no UTF-8
   */
  static int afterWide(byte[] bytes, int from, int to) {
    int i = from;
    while (i < to && bytes[i] < 0) {
      // Two characters of three bytes, whose second bytes may be any: most of Chinese.
      while (i + 8 <= to) {
        long word = (long) LONGS.get(bytes, i);
        if ((word & TWO_OF_THREE_MASK) != TWO_OF_THREE
            || ((NARROW_SECOND >>> (word & 0xf) | NARROW_SECOND >>> (word >>> 24 & 0xf)) & 1)
                != 0) {
          break;
        }
        i += 6;
      }
      if (bytes[i] < 0) {
        int length = sequenceLength(bytes, i, to);
        if (length == 0) {
          return ~i;
        }
        i += length;
      }
    }
    return i;
  }

  /** Bytes of the character that starts here with a byte over 7f; 0 if there is none. */
  private static int sequenceLength(byte[] bytes, int i, int to) {
    int first = bytes[i] & 0xff;
    if (first < 0xc2 || i + 1 >= to) {
      return 0;
    }
    int second = bytes[i + 1] & 0xff;
    if (first < 0xe0) {
      return isContinuation(second) ? 2 : 0;
    }
    if (first < 0xf0) {
      int least = first == 0xe0 ? 0xa0 : 0x80;
      int most = first == 0xed ? 0x9f : 0xbf;
      boolean valid = second >= least && second <= most;
      return valid && i + 2 < to && isContinuation(bytes[i + 2] & 0xff) ? 3 : 0;
    }
    int least = first == 0xf0 ? 0x90 : 0x80;
    int most = first == 0xf4 ? 0x8f : 0xbf;
    boolean valid = first <= 0xf4 && second >= least && second <= most;
    return valid
            && i + 3 < to
            && isContinuation(bytes[i + 2] & 0xff)
            && isContinuation(bytes[i + 3] & 0xff)
        ? 4
        : 0;
  }

  private static boolean isContinuation(int b) {
    return (b & 0xc0) == 0x80;
  }
}
