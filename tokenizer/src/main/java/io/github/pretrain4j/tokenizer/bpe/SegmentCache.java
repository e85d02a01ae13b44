package io.github.pretrain4j.tokenizer.bpe;

/**
 * The ids of short stretches of UTF-8, by their bytes. Bounded: a new entry replaces an older one.
 * Not thread-safe.
 *
 * <p>A key is up to 15 bytes, little-endian in two longs, the length in the highest byte of the
 * second; bits 4 to 7 of that byte are free for the caller to keep kinds of keys apart. A value is
 * up to {@link #MAX_IDS} ids of 20 bits, and the caller's 24 bits. A slot is four longs:
 *
 * <pre>
 * key bytes 0-7 | key bytes 8-14, length | count (4 bits) id id id | id id extra (24 bits)
 * </pre>
 *
 * <p>Two slots make a bucket, a cache line where the array lies well: a new entry takes the first
 * and moves what was there to the second.
 */
public final class SegmentCache {
  /** Longest key in bytes. */
  public static final int MAX_KEY_BYTES = 15;

  /** Most ids of an entry. */
  public static final int MAX_IDS = PackedIds.capacity(2);

  /** Ids must be below this. */
  public static final int MAX_ID = PackedIds.MAX_ID;

  private static final int LONGS_PER_SLOT = 4;

  /** Array data begin 16 bytes into an object; with this, buckets of large arrays are aligned. */
  private static final int FIRST = 6;

  private final long[] table;
  private final int shift;

  /**
   * An empty cache.
   *
   * @param slots a power of two, at least 4; 32 bytes each
   */
  public SegmentCache(int slots) {
    if (slots < 4 || Integer.bitCount(slots) != 1) {
      throw new IllegalArgumentException("slots must be a power of two from 4, is " + slots);
    }
    table = new long[Math.addExact(FIRST, Math.multiplyExact(slots, LONGS_PER_SLOT))];
    shift = 64 - Integer.numberOfTrailingZeros(slots / 2);
  }

  /** The second half of a key of {@code length} bytes, given its bytes 8 to 14. */
  public static long secondKey(long bytes, int length) {
    return bytes | (long) length << 56;
  }

  /** Where the entry of a key would be, for {@link #warm} and {@link #find(int, long, long)}. */
  public int bucket(long key0, long key1) {
    long mixed = (key0 ^ Long.rotateLeft(key1 * 0xD6E8FEB86659FD93L, 32)) * 0x9E3779B97F4A7C15L;
    return FIRST + (int) (mixed >>> shift) * 2 * LONGS_PER_SLOT;
  }

  /**
   * Reads from a bucket, so that it is in the processor's cache when {@link #find(int, long, long)}
   * needs it: several such reads are under way at once. The value means nothing; it must be used
   * for something, lest the read be optimised away.
   */
  public long warm(int bucket) {
    return table[bucket];
  }

  /** The place of an entry, or -1. Valid until the next {@link #put}. */
  public int find(long key0, long key1) {
    return find(bucket(key0, key1), key0, key1);
  }

  /** {@link #find(long, long)} of a key whose bucket is known. */
  public int find(int bucket, long key0, long key1) {
    int at = bucket;
    long[] slots = table;
    if (slots[at] == key0 && slots[at + 1] == key1) {
      return at;
    }
    at += LONGS_PER_SLOT;
    return slots[at] == key0 && slots[at + 1] == key1 ? at : -1;
  }

  /** The 24 bits of the entry at a place. */
  public int extra(int place) {
    return PackedIds.extra(table, place + 2, 2);
  }

  /**
   * Writes the ids of the entry at a place.
   *
   * @param out has room for {@link #MAX_IDS} ids from {@code to}, all of which may be overwritten
   * @return where the next id goes
   */
  public int copyIds(int place, int[] out, int to) {
    return PackedIds.get(table, place + 2, out, to);
  }

  /**
   * Remembers the ids of a key that is not there.
   *
   * @param count at most {@link #MAX_IDS}, at least 1
   * @param extra 24 bits
   */
  public void put(long key0, long key1, int[] ids, int from, int count, int extra) {
    if (count < 1 || count > MAX_IDS) {
      throw new IllegalArgumentException(count + " ids, at most " + MAX_IDS);
    }
    int at = bucket(key0, key1);
    System.arraycopy(table, at, table, at + LONGS_PER_SLOT, LONGS_PER_SLOT);
    table[at] = key0;
    table[at + 1] = key1;
    PackedIds.set(table, at + 2, 2, ids, from, count, extra);
  }
}
