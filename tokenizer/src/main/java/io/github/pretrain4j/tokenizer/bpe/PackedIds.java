package io.github.pretrain4j.tokenizer.bpe;

/**
 * A few ids in some neighbouring longs: three of 20 bits in each. The first long begins with the
 * count, in four bits, and the last ends with 24 bits for other use, in the place of an id.
 */
final class PackedIds {
  static final int ID_BITS = 20;
  static final int MAX_ID = 1 << ID_BITS;

  private static final int ID_MASK = MAX_ID - 1;
  private static final int COUNT_BITS = 4;
  private static final int EXTRA_SHIFT = 40;

  private PackedIds() {}

  /** Most ids in {@code longs} longs. */
  static int capacity(int longs) {
    return 3 * longs - 1;
  }

  /** Writes {@code ids[from, from + count)} and 24 bits to {@code table[at, at + longs)}. */
  static void set(long[] table, int at, int longs, int[] ids, int from, int count, int extra) {
    table[at] = count;
    for (int i = 1; i < longs; i++) {
      table[at + i] = 0;
    }
    for (int i = 0; i < count; i++) {
      int shift = ID_BITS * (i % 3) + (i < 3 ? COUNT_BITS : 0);
      table[at + i / 3] |= (long) ids[from + i] << shift;
    }
    table[at + longs - 1] |= (long) extra << EXTRA_SHIFT;
  }

  static int extra(long[] table, int at, int longs) {
    return (int) (table[at + longs - 1] >>> EXTRA_SHIFT);
  }

  /** Writes the ids to {@code out[to, ...)} and returns where they end. */
  static int get(long[] table, int at, int[] out, int to) {
    long first = table[at];
    int count = (int) first & 15;
    out[to] = (int) (first >>> COUNT_BITS) & ID_MASK;
    out[to + 1] = (int) (first >>> (COUNT_BITS + ID_BITS)) & ID_MASK;
    out[to + 2] = (int) (first >>> (COUNT_BITS + 2 * ID_BITS));
    for (int i = 3; i < count; i++) {
      out[to + i] = (int) (table[at + i / 3] >>> (ID_BITS * (i % 3))) & ID_MASK;
    }
    return to + count;
  }
}
