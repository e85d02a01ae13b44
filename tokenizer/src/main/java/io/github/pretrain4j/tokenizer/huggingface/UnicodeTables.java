package io.github.pretrain4j.tokenizer.huggingface;

import java.io.DataInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What the reference program knows of each code point, frozen: the ids of a text must not depend on
 * the JDK. Immutable.
 *
 * <p>The versions are those of the parts of Hugging Face's library 0.23.2, found by asking it about
 * every code point: the regular expressions know Unicode 16, {@code Digits} knows Unicode 17, and
 * NFC still has the data of Unicode 9, which is why the composition of later characters is missing
 * on purpose.
 *
 * <p>The resource {@code unicode.bin}, numbers as unsigned LEB128:
 *
 * <pre>
 * properties     (run length, property byte)* up to U+10FFFF
 * combining      (run length, rank of the combining class, 0 for starters)* up to U+10FFFF
 * decompositions count, then (distance from the one before, 2 * code points + composable, code point*)*
 * </pre>
 *
 * <p>Ranks stand for combining classes: only their order matters. Decompositions are full, those of
 * Hangul syllables are computed.
 */
final class UnicodeTables {
  // The kind of a character, exactly one: bits 0 to 2 of its properties.
  static final int OTHER = 0;
  static final int LETTER = 1;
  static final int MARK = 2;
  static final int NUMBER = 3;
  static final int PUNCTUATION = 4;
  static final int SYMBOL = 5;

  /** White space that is not {@link #NEWLINE}. */
  static final int SPACE = 6;

  /** CR and LF. */
  static final int NEWLINE = 7;

  static final int KIND_MASK = 7;

  /** What {@code \w} matches. */
  static final int WORD = 1 << 3;

  /** What {@code Digits} takes for a digit. */
  static final int NUMERIC = 1 << 4;

  private static final int CODE_POINTS = Character.MAX_CODE_POINT + 1;
  private static final int BMP = 0x10000;
  private static final int BLOCK_BITS = 8;
  private static final int RANK_BITS = 8;

  private static final int HANGUL_FIRST = 0xAC00;
  private static final int HANGUL_COUNT = 11172;
  private static final int JAMO_L = 0x1100;
  private static final int JAMO_V = 0x1161;
  private static final int JAMO_T = 0x11A7;
  private static final int JAMO_L_COUNT = 19;
  private static final int JAMO_V_COUNT = 21;
  private static final int JAMO_T_COUNT = 28;

  /** Properties of U+0000 to U+FFFF. */
  private final byte[] plane0 = new byte[BMP];

  /** Of each block of 256 code points from U+10000 on, where its properties begin. */
  private final short[] blockOf = new short[(CODE_POINTS - BMP) >> BLOCK_BITS];

  private final byte[] blocks;

  /** Ascending: code point and rank of each character with a combining class. */
  private int[] combining = {};

  private final Map<Integer, int[]> decomposition = new HashMap<>();
  private final Map<Long, Integer> composition = new HashMap<>();

  /** Of blocks of 64 code points below U+10000: whether all are starters that NFC never changes. */
  private final boolean[] inertBlock = new boolean[BMP >> 6];

  /** Characters that NFC changes, or may change, and those with a combining class. */
  private final BitSet active = new BitSet();

  private final BitSet changing = new BitSet();

  private UnicodeTables(DataInputStream in) throws IOException {
    byte[] later = new byte[CODE_POINTS - BMP];
    for (int at = 0; at < CODE_POINTS; ) {
      int end = at + number(in);
      byte properties = in.readByte();
      for (; at < end; at++) {
        if (at < BMP) {
          plane0[at] = properties;
        } else {
          later[at - BMP] = properties;
        }
      }
    }
    blocks = compress(later);
    readCombiningRanks(in);
    readDecompositions(in);
    findActive();
  }

  private void readCombiningRanks(DataInputStream in) throws IOException {
    for (int at = 0; at < CODE_POINTS; ) {
      int end = at + number(in);
      int rank = in.readUnsignedByte();
      for (; rank != 0 && at < end; at++) {
        combining = Arrays.copyOf(combining, combining.length + 1);
        combining[combining.length - 1] = at << RANK_BITS | rank;
      }
      at = end;
    }
  }

  /** Reads the tables, in a few milliseconds. */
  static UnicodeTables load() {
    try (InputStream in = UnicodeTables.class.getResourceAsStream("unicode.bin")) {
      if (in == null) {
        throw new IllegalStateException("the resource unicode.bin is not in the jar");
      }
      return new UnicodeTables(new DataInputStream(new java.io.BufferedInputStream(in)));
    } catch (IOException e) {
      throw new UncheckedIOException("unicode.bin", e);
    }
  }

  private static int number(DataInputStream in) throws IOException {
    int value = 0;
    for (int shift = 0; ; shift += 7) {
      int b = in.readUnsignedByte();
      value |= (b & 0x7F) << shift;
      if (b < 0x80) {
        return value;
      }
    }
  }

  private byte[] compress(byte[] later) {
    int size = 1 << BLOCK_BITS;
    Map<String, Integer> known = new HashMap<>();
    byte[] all = new byte[later.length];
    int used = 0;
    for (int block = 0; block < blockOf.length; block++) {
      byte[] content = Arrays.copyOfRange(later, block << BLOCK_BITS, (block + 1) << BLOCK_BITS);
      Integer place =
          known.putIfAbsent(
              new String(content, java.nio.charset.StandardCharsets.ISO_8859_1), used);
      if (place == null) {
        System.arraycopy(content, 0, all, used << BLOCK_BITS, size);
        place = used++;
      }
      blockOf[block] = place.shortValue();
    }
    return Arrays.copyOf(all, used << BLOCK_BITS);
  }

  private void readDecompositions(DataInputStream in) throws IOException {
    int count = number(in);
    int codePoint = 0;
    Map<Integer, int[]> composable = new HashMap<>();
    for (int i = 0; i < count; i++) {
      codePoint += number(in);
      int header = number(in);
      int[] parts = new int[header >> 1];
      for (int part = 0; part < parts.length; part++) {
        parts[part] = number(in);
      }
      decomposition.put(codePoint, parts);
      if ((header & 1) != 0) {
        composable.put(codePoint, parts);
      } else {
        changing.set(codePoint);
      }
    }
    // A composition is of two: all parts but the last are composed first.
    Map<String, Integer> byParts = new HashMap<>();
    composable.forEach((whole, parts) -> byParts.put(Arrays.toString(parts), whole));
    composable.forEach(
        (whole, parts) -> {
          int last = parts.length - 1;
          int first =
              last == 1
                  ? parts[0]
                  : byParts.getOrDefault(Arrays.toString(Arrays.copyOf(parts, last)), -1);
          if (first < 0) {
            throw new IllegalStateException(
                "unicode.bin: no first part of U+" + Integer.toHexString(whole));
          }
          composition.put((long) first << 32 | parts[last], whole);
          changing.set(parts[last]);
        });
    for (int i = 0; i < JAMO_V_COUNT; i++) {
      changing.set(JAMO_V + i);
    }
    for (int i = 1; i < JAMO_T_COUNT; i++) {
      changing.set(JAMO_T + i);
    }
  }

  private void findActive() {
    active.or(changing);
    for (int entry : combining) {
      active.set(entry >>> RANK_BITS);
    }
    Arrays.fill(inertBlock, true);
    active.stream()
        .takeWhile(codePoint -> codePoint < BMP)
        .forEach(codePoint -> inertBlock[codePoint >> 6] = false);
  }

  int properties(int codePoint) {
    if (codePoint < BMP) {
      return plane0[codePoint];
    }
    int at = codePoint - BMP;
    return blocks[(blockOf[at >> BLOCK_BITS] << BLOCK_BITS) + (at & ((1 << BLOCK_BITS) - 1))];
  }

  int kind(int codePoint) {
    return properties(codePoint) & KIND_MASK;
  }

  boolean isWord(int codePoint) {
    return (properties(codePoint) & WORD) != 0;
  }

  boolean isWhiteSpace(int codePoint) {
    return kind(codePoint) >= SPACE;
  }

  /** Whether NFC leaves all of a block of 64 code points below U+10000 as and where they are. */
  boolean isInertBlock(int block) {
    return inertBlock[block];
  }

  /** Whether {@link #changesOrMayChange}, or the character has a combining class. */
  boolean isActive(int codePoint) {
    return active.get(codePoint);
  }

  /** Order of the combining class; 0 for a starter. */
  int combiningRank(int codePoint) {
    int low = 0;
    int high = combining.length - 1;
    while (low <= high) {
      int middle = (low + high) >>> 1;
      int found = combining[middle] >>> RANK_BITS;
      if (found == codePoint) {
        return combining[middle] & ((1 << RANK_BITS) - 1);
      }
      if (found < codePoint) {
        low = middle + 1;
      } else {
        high = middle - 1;
      }
    }
    return 0;
  }

  /** Whether NFC changes a character, or may, depending on the one before. */
  boolean changesOrMayChange(int codePoint) {
    return changing.get(codePoint);
  }

  /** The full canonical decomposition; null if the character is its own. */
  int @Nullable [] decompose(int codePoint) {
    int hangul = codePoint - HANGUL_FIRST;
    if (hangul < 0 || hangul >= HANGUL_COUNT) {
      return decomposition.get(codePoint);
    }
    int l = JAMO_L + hangul / (JAMO_V_COUNT * JAMO_T_COUNT);
    int v = JAMO_V + hangul / JAMO_T_COUNT % JAMO_V_COUNT;
    int t = JAMO_T + hangul % JAMO_T_COUNT;
    return t == JAMO_T ? new int[] {l, v} : new int[] {l, v, t};
  }

  /** What two characters compose to, or -1. */
  int compose(int first, int second) {
    int l = first - JAMO_L;
    int v = second - JAMO_V;
    if (l >= 0 && l < JAMO_L_COUNT && v >= 0 && v < JAMO_V_COUNT) {
      return HANGUL_FIRST + (l * JAMO_V_COUNT + v) * JAMO_T_COUNT;
    }
    int hangul = first - HANGUL_FIRST;
    int t = second - JAMO_T;
    if (hangul >= 0
        && hangul < HANGUL_COUNT
        && hangul % JAMO_T_COUNT == 0
        && t > 0
        && t < JAMO_T_COUNT) {
      return first + t;
    }
    return composition.getOrDefault((long) first << 32 | second, -1);
  }
}
