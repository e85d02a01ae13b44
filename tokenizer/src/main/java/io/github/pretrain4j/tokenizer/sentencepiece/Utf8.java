package io.github.pretrain4j.tokenizer.sentencepiece;

/**
 * UTF-8 as SentencePiece reads it: shortest forms, no surrogates, at most U+10FFFF; anything else
 * is malformed one byte at a time.
 */
final class Utf8 {
  static final char REPLACEMENT = '\uFFFD';

  /** {@link #sequenceLength} of a sequence that could become well formed with more bytes. */
  static final int INCOMPLETE = 0;

  /** {@link #sequenceLength} of a byte that no following byte can save. */
  static final int MALFORMED = -1;

  private Utf8() {}

  /**
   * Length of the well-formed sequence at {@code from}, {@link #INCOMPLETE} or {@link #MALFORMED}.
   */
  static int sequenceLength(byte[] bytes, int from, int to) {
    int lead = bytes[from] & 0xFF;
    if (lead < 0x80) {
      return 1;
    }
    int length = lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 0;
    if (length == 0) {
      return MALFORMED;
    }
    for (int i = 1; i < length; i++) {
      if (from + i == to) {
        return INCOMPLETE;
      }
      int next = bytes[from + i] & 0xFF;
      // The second byte also rules out long forms, surrogates and what is above U+10FFFF.
      int low = i > 1 ? 0x80 : lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
      int high = i > 1 ? 0xBF : lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
      if (next < low || next > high) {
        return MALFORMED;
      }
    }
    return length;
  }

  /** The code point of a well-formed sequence. */
  static int codePoint(byte[] bytes, int from, int length) {
    return switch (length) {
      case 1 -> bytes[from];
      case 2 -> (bytes[from] & 0x1F) << 6 | (bytes[from + 1] & 0x3F);
      case 3 ->
          (bytes[from] & 0x0F) << 12 | (bytes[from + 1] & 0x3F) << 6 | (bytes[from + 2] & 0x3F);
      default ->
          (bytes[from] & 0x07) << 18
              | (bytes[from + 1] & 0x3F) << 12
              | (bytes[from + 2] & 0x3F) << 6
              | (bytes[from + 3] & 0x3F);
    };
  }

  /** As {@link #encode(int, byte[], int)} from index 0. */
  static int encode(int codePoint, byte[] target) {
    return encode(codePoint, target, 0);
  }

  /** Writes a code point and returns the number of bytes, 1 to 4. A surrogate becomes U+FFFD. */
  static int encode(int codePoint, byte[] target, int at) {
    if (codePoint < 0x80) {
      target[at] = (byte) codePoint;
      return 1;
    }
    if (codePoint < 0x800) {
      target[at] = (byte) (0xC0 | codePoint >> 6);
      target[at + 1] = (byte) (0x80 | (codePoint & 0x3F));
      return 2;
    }
    if (codePoint < 0x10000) {
      int valid = Character.isSurrogate((char) codePoint) ? REPLACEMENT : codePoint;
      target[at] = (byte) (0xE0 | valid >> 12);
      target[at + 1] = (byte) (0x80 | (valid >> 6 & 0x3F));
      target[at + 2] = (byte) (0x80 | (valid & 0x3F));
      return 3;
    }
    target[at] = (byte) (0xF0 | codePoint >> 18);
    target[at + 1] = (byte) (0x80 | (codePoint >> 12 & 0x3F));
    target[at + 2] = (byte) (0x80 | (codePoint >> 6 & 0x3F));
    target[at + 3] = (byte) (0x80 | (codePoint & 0x3F));
    return 4;
  }

  /** Bytes of the character that a lead byte of well-formed text begins. */
  static int lengthByLead(byte lead) {
    return lead >= 0 ? 1 : (lead & 0xE0) == 0xC0 ? 2 : (lead & 0xF0) == 0xE0 ? 3 : 4;
  }

  /** The code point at {@code index}; a lone surrogate is returned as itself. */
  static int codePointAt(char[] text, int index, int end) {
    return Character.codePointAt(text, index, end);
  }
}
