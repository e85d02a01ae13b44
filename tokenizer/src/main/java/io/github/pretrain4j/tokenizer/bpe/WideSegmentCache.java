package io.github.pretrain4j.tokenizer.bpe;

/**
 * As {@link SegmentCache} for stretches of up to 31 bytes, as long words and deep indentation are:
 * four longs of key, four of value. There are few of those, but each is dear to encode.
 */
public final class WideSegmentCache {
  /** Longest key in bytes. */
  public static final int MAX_KEY_BYTES = 31;

  /** Most ids of an entry. */
  public static final int MAX_IDS = PackedIds.capacity(4);

  private static final int LONGS_PER_SLOT = 8;

  private final long[] table;
  private final int shift;

  /**
   * An empty cache.
   *
   * @param slots a power of two, at least 2; 64 bytes each
   */
  public WideSegmentCache(int slots) {
    if (slots < 2 || Integer.bitCount(slots) != 1) {
      throw new IllegalArgumentException("slots must be a power of two from 2, is " + slots);
    }
    table = new long[Math.multiplyExact(slots, LONGS_PER_SLOT)];
    shift = 64 - Integer.numberOfTrailingZeros(slots);
  }

  /** The last quarter of a key of {@code length} bytes, given its bytes 24 to 30. */
  public static long lastKey(long bytes, int length) {
    return bytes | (long) length << 56;
  }

  private int place(long key0, long key1, long key2, long key3) {
    long mixed = (key0 ^ Long.rotateLeft(key1 * 0xD6E8FEB86659FD93L, 32)) * 0x9E3779B97F4A7C15L;
    mixed = (mixed ^ mixed >>> 29 ^ key2) * 0xBF58476D1CE4E5B9L;
    mixed = (mixed ^ mixed >>> 32 ^ key3) * 0x94D049BB133111EBL;
    return (int) (mixed >>> shift) * LONGS_PER_SLOT;
  }

  /** The place of an entry, or -1. Valid until the next {@link #put}. */
  public int find(long key0, long key1, long key2, long key3) {
    int at = place(key0, key1, key2, key3);
    long[] slots = table;
    boolean found =
        slots[at] == key0
            && slots[at + 1] == key1
            && slots[at + 2] == key2
            && slots[at + 3] == key3;
    return found ? at : -1;
  }

  /** The 24 bits of the entry at a place. */
  public int extra(int place) {
    return PackedIds.extra(table, place + 4, 4);
  }

  /**
   * Writes the ids of the entry at a place.
   *
   * @param out has room for {@link #MAX_IDS} ids from {@code to}, all of which may be overwritten
   * @return where the next id goes
   */
  public int copyIds(int place, int[] out, int to) {
    return PackedIds.get(table, place + 4, out, to);
  }

  /**
   * Remembers the ids of a key, in the place of the one that was there.
   *
   * @param count at most {@link #MAX_IDS}, at least 1
   * @param extra 24 bits
   */
  public void put(
      long key0, long key1, long key2, long key3, int[] ids, int from, int count, int extra) {
    if (count < 1 || count > MAX_IDS) {
      throw new IllegalArgumentException(count + " ids, at most " + MAX_IDS);
    }
    int at = place(key0, key1, key2, key3);
    table[at] = key0;
    table[at + 1] = key1;
    table[at + 2] = key2;
    table[at + 3] = key3;
    PackedIds.set(table, at + 4, 4, ids, from, count, extra);
  }
}
