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
  private final char[] replacements;

  /**
   * Where the replacement at a byte offset begins in {@link #replacements}; -1 inside a character.
   */
  private final int[] replacementAt;

  /** One bit per BMP character that begins a rule: the others need no search. */
  private final long[] beginsRule = new long[1 << 10];

  private CharsMap(int[] units, char[] replacements, int[] replacementAt) {
    this.units = units;
    this.replacements = replacements;
    this.replacementAt = replacementAt;
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
    TextBuffer text = new TextBuffer(strings.length);
    int[] at = new int[strings.length];
    Arrays.fill(at, -1);
    for (int i = 0; i < strings.length; ) {
      int length = Utf8.sequenceLength(strings, i, strings.length);
      if (length <= 0) {
        throw new CorruptTokenizerException(
            file, 0, "replacement " + i + " of precompiled_charsmap", "UTF-8", "malformed bytes");
      }
      at[i] = text.length;
      int codePoint = Utf8.codePoint(strings, i, length);
      if (codePoint >= 0x10000) {
        text.append(Character.highSurrogate(codePoint));
        text.append(Character.lowSurrogate(codePoint));
      } else {
        text.append((char) codePoint);
      }
      i += length;
    }
    checkValues(units, at, file);
    return new CharsMap(units, text.chars, at);
  }

  private static void checkValues(int[] units, int[] at, Path file)
      throws CorruptTokenizerException {
    for (int i = 0; i < units.length; i++) {
      if (units[i] < 0 || (units[i] & HAS_VALUE) == 0) {
        continue;
      }
      int position = i ^ offset(units[i]);
      int value = position < units.length ? units[position] & 0x7FFFFFFF : -1;
      if (value < 0 || value >= at.length || at[value] < 0) {
        throw new CorruptTokenizerException(
            file,
            0,
            "value of unit " + i + " of precompiled_charsmap",
            "the start of a replacement",
            value);
      }
    }
  }

  /**
   * The longest rule that is a prefix of {@code text[from, to)}.
   *
   * @return length of the prefix in the upper half, start of the replacement in the lower half (it
   *     ends at a NUL in {@link #replacements}); -1 if there is no rule
   */
  long longestPrefix(char[] text, int from, int to) {
    char first = text[from];
    if (!Character.isSurrogate(first) && (beginsRule[first >> 6] & (1L << first)) == 0) {
      return -1;
    }
    byte[] utf8 = new byte[4];
    long found = -1;
    int position = offset(units[0]);
    for (int i = from; i < to; ) {
      int codePoint = Utf8.codePointAt(text, i, to);
      if (codePoint == 0 || isLoneSurrogate(codePoint)) {
        break;
      }
      int length = Utf8.encode(codePoint, utf8);
      int unit = 0;
      for (int k = 0; k < length; k++) {
        position ^= utf8[k] & 0xFF;
        if (position >= units.length
            || ((unit = units[position]) & 0x800000FF) != (utf8[k] & 0xFF)) {
          return found;
        }
        position ^= offset(unit);
      }
      i += Character.charCount(codePoint);
      if ((unit & HAS_VALUE) != 0) {
        int value = units[position] & 0x7FFFFFFF;
        found = (long) (i - from) << 32 | replacementAt[value];
      }
    }
    return found;
  }

  char[] replacements() {
    return replacements;
  }

  private boolean reaches(byte[] utf8, int length) {
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

  private static boolean isLoneSurrogate(int codePoint) {
    return codePoint >= Character.MIN_SURROGATE && codePoint <= Character.MAX_SURROGATE;
  }

  private static int offset(int unit) {
    return (unit >>> 10) << ((unit & 0x200) >>> 6);
  }
}
