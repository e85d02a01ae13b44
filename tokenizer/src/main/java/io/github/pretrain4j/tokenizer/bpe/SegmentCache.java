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
 * <p>There are two levels in one array. The first is small enough to stay in the processor's
 * second-level cache and among the pages it knows the addresses of, and has one place for a key; it
 * answers for the words that make up most of a text. The second is as large as wanted and has two
 * places; what is found there moves into the first. A new entry goes to both.
 */
public final class SegmentCache {
  /** Longest key in bytes. */
  public static final int MAX_KEY_BYTES = 15;

  /** Most ids of an entry. */
  public static final int MAX_IDS = 5;

  /** Ids must be below this. */
  public static final int MAX_ID = 1 << 20;

  private static final int ID_MASK = MAX_ID - 1;
  private static final int LONGS_PER_SLOT = 4;

  /** Most slots of the first level: 128 KiB. */
  private static final int MAX_FIRST_SLOTS = 1 << 12;

  private final long[] table;

  /** Where the second level begins. */
  private final int second;

  private final int firstShift;
  private final int secondShift;

  /**
   * An empty cache.
   *
   * @param slots of the second level, a power of two from 16; 32 bytes each
   */
  public SegmentCache(int slots) {
    if (slots < 16 || Integer.bitCount(slots) != 1) {
      throw new IllegalArgumentException("slots must be a power of two from 16, is " + slots);
    }
    int firstSlots = Math.min(MAX_FIRST_SLOTS, slots / 2);
    second = firstSlots * LONGS_PER_SLOT;
    table = new long[Math.addExact(second, Math.multiplyExact(slots, LONGS_PER_SLOT))];
    firstShift = 64 - Integer.numberOfTrailingZeros(firstSlots);
    secondShift = 64 - Integer.numberOfTrailingZeros(slots / 2);
  }

  /** The second half of a key of {@code length} bytes, given its bytes 8 to 14. */
  public static long secondKey(long bytes, int length) {
    return bytes | (long) length << 56;
  }

  private static long mix(long key0, long key1) {
    return (key0 ^ Long.rotateLeft(key1 * 0xD6E8FEB86659FD93L, 32)) * 0x9E3779B97F4A7C15L;
  }

  /** The only place in the first level. */
  private int firstPlace(long mixed) {
    return (int) (mixed >>> firstShift) * LONGS_PER_SLOT;
  }

  /** The first of two places in the second level. */
  private int secondPlace(long mixed) {
    return second + (int) (mixed >>> secondShift) * 2 * LONGS_PER_SLOT;
  }

  /** The place of an entry, or -1. Valid until the next call. */
  public int find(long key0, long key1) {
    long mixed = mix(key0, key1);
    int at = firstPlace(mixed);
    long[] slots = table;
    return slots[at] == key0 && slots[at + 1] == key1 ? at : findSecond(key0, key1, mixed);
  }

  private int findSecond(long key0, long key1, long mixed) {
    long[] slots = table;
    int at = secondPlace(mixed);
    if (slots[at] != key0 || slots[at + 1] != key1) {
      at += LONGS_PER_SLOT;
      if (slots[at] != key0 || slots[at + 1] != key1) {
        return -1;
      }
    }
    int to = firstPlace(mixed);
    slots[to] = key0;
    slots[to + 1] = key1;
    slots[to + 2] = slots[at + 2];
    slots[to + 3] = slots[at + 3];
    return to;
  }

  /** Number of ids of the entry at a place. */
  public int count(int place) {
    return (int) table[place + 2] & 15;
  }

  /** The 24 bits of the entry at a place. */
  public int extra(int place) {
    return (int) (table[place + 3] >>> 40);
  }

  /**
   * Writes the ids of the entry at a place.
   *
   * @param out has room for {@link #MAX_IDS} ids from {@code to}, all of which may be overwritten
   * @return where the next id goes
   */
  public int copyIds(int place, int[] out, int to) {
    long first = table[place + 2];
    int count = (int) first & 15;
    out[to] = (int) (first >>> 4) & ID_MASK;
    out[to + 1] = (int) (first >>> 24) & ID_MASK;
    out[to + 2] = (int) (first >>> 44);
    if (count > 3) {
      long last = table[place + 3];
      out[to + 3] = (int) last & ID_MASK;
      out[to + 4] = (int) (last >>> 20) & ID_MASK;
    }
    return to + count;
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
    long first = count;
    long last = (long) extra << 40;
    for (int i = 0; i < count; i++) {
      long id = ids[from + i];
      if (i < 3) {
        first |= id << (4 + 20 * i);
      } else {
        last |= id << (20 * (i - 3));
      }
    }
    long mixed = mix(key0, key1);
    int place = secondPlace(mixed);
    System.arraycopy(table, place, table, place + LONGS_PER_SLOT, LONGS_PER_SLOT);
    set(place, key0, key1, first, last);
    set(firstPlace(mixed), key0, key1, first, last);
  }

  private void set(int place, long key0, long key1, long first, long last) {
    table[place] = key0;
    table[place + 1] = key1;
    table[place + 2] = first;
    table[place + 3] = last;
  }
}
