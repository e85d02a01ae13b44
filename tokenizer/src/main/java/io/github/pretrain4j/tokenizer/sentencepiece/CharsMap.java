package io.github.pretrain4j.tokenizer.sentencepiece;

import io.github.pretrain4j.tokenizer.CorruptTokenizerException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * The rules of a normaliser, {@code precompiled_charsmap}: longest prefix to replacement.
 * Immutable.
 *
 * <p>Layout, little-endian: u32 size of the trie in bytes; the trie, units of u32; then replacement
 * strings in UTF-8, each ended by a zero byte. The trie is a double array over UTF-8 bytes:
 *
 * <pre>
 * bits 0-7 label   bit 8 a value hangs below   bit 9 offset counts 256 units   bits 10-30 offset
 * bit 31 the unit is a value (bits 0-30): byte offset of the replacement
 * </pre>
 *
 * <p>A position outside the array is no match, so a damaged trie cannot run away; values are
 * checked at load.
 */
final class CharsMap {
  private static final int HAS_VALUE = 1 << 8;

  private final int[] units;
  private final byte[] replacements;

  /** One bit per BMP character that begins a rule: the others need no search. */
  private final long[] beginsRule = new long[1 << 10];

  private CharsMap(int[] units, byte[] replacements) {
    this.units = units;
    this.replacements = replacements;
    byte[] utf8 = new byte[4];
    for (int c = 1; c < 0x10000; c++) {
      if (!Character.isSurrogate((char) c) && reaches(utf8, Utf8.encode(c, utf8))) {
        beginsRule[c >> 6] |= 1L << c;
      }
    }
  }

  /** The rules in {@code blob}, or null if it is empty. */
  static @Nullable CharsMap read(byte[] blob, Path file) throws CorruptTokenizerException {
    if (blob.length == 0) {
      return null;
    }
    ByteBuffer in = ByteBuffer.wrap(blob).order(ByteOrder.LITTLE_ENDIAN);
    long trieBytes = blob.length < 4 ? -1 : Integer.toUnsignedLong(in.getInt());
    if (trieBytes < 4 || trieBytes % 4 != 0 || trieBytes >= blob.length - 4) {
      throw new CorruptTokenizerException(
          file,
          0,
          "trie size of precompiled_charsmap",
          "a multiple of 4 below " + (blob.length - 4),
          trieBytes);
    }
    int[] units = new int[(int) (trieBytes / 4)];
    in.asIntBuffer().get(units);
    byte[] strings = Arrays.copyOfRange(blob, 4 + (int) trieBytes, blob.length);
    if (strings[strings.length - 1] != 0) {
      throw new CorruptTokenizerException(
          file, 0, "end of precompiled_charsmap", "a zero byte", strings[strings.length - 1]);
    }
    long[] characterStarts = new long[(strings.length >> 6) + 1];
    for (int i = 0; i < strings.length; ) {
      int length = Utf8.sequenceLength(strings, i, strings.length);
      if (length <= 0) {
        throw new CorruptTokenizerException(
            file, 0, "replacement " + i + " of precompiled_charsmap", "UTF-8", "malformed bytes");
      }
      characterStarts[i >> 6] |= 1L << i;
      i += length;
    }
    checkValues(units, strings.length, characterStarts, file);
    return new CharsMap(units, strings);
  }

  private static void checkValues(int[] units, int limit, long[] characterStarts, Path file)
      throws CorruptTokenizerException {
    for (int i = 0; i < units.length; i++) {
      if (units[i] < 0 || (units[i] & HAS_VALUE) == 0) {
        continue;
      }
      int position = i ^ offset(units[i]);
      int value = position < units.length ? units[position] & 0x7FFFFFFF : -1;
      if (value < 0 || value >= limit || (characterStarts[value >> 6] & 1L << value) == 0) {
        throw new CorruptTokenizerException(
            file,
            0,
            "value of unit " + i + " of precompiled_charsmap",
            "the start of a replacement",
            value);
      }
    }
  }

  /** Whether a rule may begin with the character of a well-formed sequence. */
  boolean mayBegin(byte[] text, int at, int length) {
    if (length == 4) {
      return true;
    }
    int c = Utf8.codePoint(text, at, length);
    return (beginsRule[c >> 6] & 1L << c) != 0;
  }

  /**
   * The longest rule that is a prefix of {@code text[from, to)}.
   *
   * @return length of the prefix in the upper half, start of the replacement in the lower half (it
   *     ends at a zero in {@link #replacements}); -1 if there is no rule
   */
  long longestPrefix(byte[] text, int from, int to) {
    long found = -1;
    int position = offset(units[0]);
    for (int i = from; i < to; i++) {
      int label = text[i] & 0xFF;
      position ^= label;
      if (label == 0 || position >= units.length) {
        return found;
      }
      int unit = units[position];
      if ((unit & 0x800000FF) != label) {
        return found;
      }
      position ^= offset(unit);
      if ((unit & HAS_VALUE) != 0) {
        found = (long) (i + 1 - from) << 32 | (units[position] & 0x7FFFFFFF);
      }
    }
    return found;
  }

  byte[] replacements() {
    return replacements;
  }

  /** Whether some rule begins with these bytes. */
  boolean reaches(byte[] utf8, int length) {
    int position = offset(units[0]);
    for (int k = 0; k < length; k++) {
      position ^= utf8[k] & 0xFF;
      if (position >= units.length || (units[position] & 0x800000FF) != (utf8[k] & 0xFF)) {
        return false;
      }
      position ^= offset(units[position]);
    }
    return true;
  }

  private static int offset(int unit) {
    return (unit >>> 10) << ((unit & 0x200) >>> 6);
  }
}
