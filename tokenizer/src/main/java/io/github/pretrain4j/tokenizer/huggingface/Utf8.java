package io.github.pretrain4j.tokenizer.huggingface;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/**
 * UTF-8 as Rust reads it: shortest forms, no surrogates, at most U+10FFFF. In malformed text each
 * maximal part that could begin a character counts as one U+FFFD, as in {@code from_utf8_lossy}.
 * (Java differs: it takes three bytes of an encoded surrogate for one.)
 */
final class Utf8 {
  /** Eight bytes of an array as a little-endian long. */
  static final VarHandle LONG =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

  /** {@link #malformed}: no malformed byte. */
  static final int NONE = -1;

  private static final long HIGH_BITS = 0x8080808080808080L;
  private static final int REPLACEMENT = 0xFFFD;

  private Utf8() {}

  /** Where the first malformed byte of {@code [from, to)} is, or {@link #NONE}. */
  static int malformed(byte[] text, int from, int to) {
    int at = from;
    while (at < to) {
      if (at + 8 <= to && ((long) LONG.get(text, at) & HIGH_BITS) == 0) {
        at += 8;
        continue;
      }
      int length = sequenceLength(text, at, to);
      if (length <= 0) {
        return at;
      }
      at += length;
    }
    return NONE;
  }

  /**
   * Length of the well-formed sequence at {@code at}; if there is none, minus the length of the
   * part to replace.
   */
  static int sequenceLength(byte[] text, int at, int to) {
    int lead = text[at];
    if (lead >= 0) {
      return 1;
    }
    lead &= 0xFF;
    int length = lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 0;
    if (length == 0) {
      return -1;
    }
    for (int i = 1; i < length; i++) {
      if (at + i == to) {
        return -i;
      }
      int next = text[at + i] & 0xFF;
      // The second byte also rules out long forms, surrogates and what is above U+10FFFF.
      int low = i > 1 ? 0x80 : lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
      int high = i > 1 ? 0xBF : lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
      if (next < low || next > high) {
        return -i;
      }
    }
    return length;
  }

  /** Whether a malformed sequence is only cut off by the end of the text. */
  static boolean isIncomplete(byte[] text, int at, int to) {
    int length = sequenceLength(text, at, to);
    return length < 0
        && at - length == to
        && length(text[at]) > -length
        && (text[at] & 0xFF) >= 0xC2;
  }

  /** Length of the well-formed sequence that begins with {@code lead}. */
  static int length(byte lead) {
    int b = lead & 0xFF;
    return b < 0x80 ? 1 : b < 0xE0 ? 2 : b < 0xF0 ? 3 : 4;
  }

  static boolean isContinuation(byte b) {
    return (b & 0xC0) == 0x80;
  }

  /** The code point of the well-formed sequence at {@code at}. */
  static int codePoint(byte[] text, int at) {
    int lead = text[at];
    if (lead >= 0) {
      return lead;
    }
    if (lead < (byte) 0xE0) {
      return (lead & 0x1F) << 6 | (text[at + 1] & 0x3F);
    }
    if (lead < (byte) 0xF0) {
      return (lead & 0x0F) << 12 | (text[at + 1] & 0x3F) << 6 | (text[at + 2] & 0x3F);
    }
    return (lead & 0x07) << 18
        | (text[at + 1] & 0x3F) << 12
        | (text[at + 2] & 0x3F) << 6
        | (text[at + 3] & 0x3F);
  }

  /**
   * Copies {@code [from, to)} with U+FFFD for what is malformed.
   *
   * @param target has three times the room
   * @return where the copy ends
   */
  static int repair(byte[] text, int from, int to, byte[] target, int targetFrom) {
    int out = targetFrom;
    for (int at = from; at < to; ) {
      int length = sequenceLength(text, at, to);
      if (length > 0) {
        for (int i = 0; i < length; i++) {
          target[out++] = text[at++];
        }
      } else {
        out = put(REPLACEMENT, target, out);
        at -= length;
      }
    }
    return out;
  }

  /** Writes a code point that is no surrogate and returns where the next one goes. */
  static int put(int codePoint, byte[] target, int at) {
    if (codePoint < 0x80) {
      target[at] = (byte) codePoint;
      return at + 1;
    }
    if (codePoint < 0x800) {
      target[at] = (byte) (0xC0 | codePoint >> 6);
      target[at + 1] = (byte) (0x80 | (codePoint & 0x3F));
      return at + 2;
    }
    if (codePoint < 0x10000) {
      target[at] = (byte) (0xE0 | codePoint >> 12);
      target[at + 1] = (byte) (0x80 | (codePoint >> 6 & 0x3F));
      target[at + 2] = (byte) (0x80 | (codePoint & 0x3F));
      return at + 3;
    }
    target[at] = (byte) (0xF0 | codePoint >> 18);
    target[at + 1] = (byte) (0x80 | (codePoint >> 12 & 0x3F));
    target[at + 2] = (byte) (0x80 | (codePoint >> 6 & 0x3F));
    target[at + 3] = (byte) (0x80 | (codePoint & 0x3F));
    return at + 4;
  }

  /** Writes a text with U+FFFD for lone surrogates; {@code target} has 3 bytes for each char. */
  static int put(CharSequence text, byte[] target, int from) {
    int out = from;
    int length = text.length();
    for (int i = 0; i < length; i++) {
      char c = text.charAt(i);
      if (c < 0x80) {
        target[out++] = (byte) c;
      } else if (!Character.isSurrogate(c)) {
        out = put((int) c, target, out);
      } else if (Character.isHighSurrogate(c)
          && i + 1 < length
          && Character.isLowSurrogate(text.charAt(i + 1))) {
        out = put(Character.toCodePoint(c, text.charAt(++i)), target, out);
      } else {
        out = put(REPLACEMENT, target, out);
      }
    }
    return out;
  }
}
