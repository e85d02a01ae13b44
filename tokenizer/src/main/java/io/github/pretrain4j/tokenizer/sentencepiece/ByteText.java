package io.github.pretrain4j.tokenizer.sentencepiece;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Text in UTF-8 that grows, on request with the place in the original each byte came from. Reused
 * from text to text. Not thread-safe.
 *
 * <p>Behind the text lie at least {@link #PADDING} readable bytes, so that words of eight bytes may
 * be loaded anywhere inside it; what they hold is not defined.
 */
final class ByteText {
  /** Longest text we take: the sizes of arrays derived from it stay below 2^31. */
  static final int MAX_BYTES = 1 << 29;

  static final int PADDING = 32;

  byte[] bytes = new byte[PADDING];
  int length;

  /** For each byte and the end, the byte of the original; null unless asked for. */
  int @Nullable [] origin;

  private ByteText(int @Nullable [] origin) {
    this.origin = origin;
  }

  static ByteText create() {
    return new ByteText(null);
  }

  static ByteText withOrigin() {
    return new ByteText(new int[PADDING]);
  }

  void clear() {
    length = 0;
  }

  /** Makes room for {@code more} bytes after the text. */
  void reserve(int more) {
    long wanted = (long) length + more + PADDING;
    if (wanted > bytes.length) {
      if ((long) length + more > MAX_BYTES) {
        throw new IllegalArgumentException("text longer than " + MAX_BYTES + " bytes");
      }
      bytes = Arrays.copyOf(bytes, (int) (wanted + (wanted >> 1)));
      if (origin != null) {
        origin = Arrays.copyOf(origin, bytes.length);
      }
    }
  }

  void append(byte value, int from) {
    reserve(1);
    if (origin != null) {
      origin[length] = from;
    }
    bytes[length++] = value;
  }

  void append(byte[] source, int sourceFrom, int sourceTo, int from) {
    int count = sourceTo - sourceFrom;
    reserve(count);
    if (origin != null) {
      Arrays.fill(origin, length, length + count, from);
    }
    System.arraycopy(source, sourceFrom, bytes, length, count);
    length += count;
  }

  /** Notes the byte of the original at which everything ends. */
  void end(int from) {
    if (origin != null) {
      origin[length] = from;
    }
  }

  /**
   * Appends a text as UTF-8, lone surrogates as U+FFFD.
   *
   * @throws IllegalArgumentException if it is too long
   */
  void append(CharSequence text) {
    int count = text.length();
    reserve((int) Math.min(MAX_BYTES + 1L - length, 3L * count));
    byte[] target = bytes;
    int n = length;
    for (int i = 0; i < count; i++) {
      char c = text.charAt(i);
      if (c < 0x80) {
        target[n++] = (byte) c;
      } else if (c < 0x800) {
        target[n++] = (byte) (0xC0 | c >> 6);
        target[n++] = (byte) (0x80 | (c & 0x3F));
      } else {
        char next = i + 1 < count ? text.charAt(i + 1) : 0;
        if (Character.isHighSurrogate(c) && Character.isLowSurrogate(next)) {
          n += Utf8.encode(Character.toCodePoint(c, next), target, n);
          i++;
        } else {
          char valid = Character.isSurrogate(c) ? Utf8.REPLACEMENT : c;
          target[n++] = (byte) (0xE0 | valid >> 12);
          target[n++] = (byte) (0x80 | (valid >> 6 & 0x3F));
          target[n++] = (byte) (0x80 | (valid & 0x3F));
        }
      }
    }
    length = n;
  }
}
