package io.github.pretrain4j.tokenizer.bpe;

import java.util.Arrays;

/**
 * Which two neighbouring symbols merge, into which symbol, and how early. Immutable once built.
 *
 * <p>A hash table with open addressing, half empty: key and value of a slot lie side by side in one
 * array, so that a question costs one cache line.
 */
public final class MergeTable {
  /** The answer for two symbols that do not merge: later than every merge. */
  public static final long NONE = Long.MAX_VALUE;

  private static final long FREE = -1;
  private static final long FACTOR = 0x9E3779B97F4A7C15L;

  private final long[] slots;
  private final int shift;
  private final int size;

  private MergeTable(long[] slots, int shift, int size) {
    this.slots = slots;
    this.shift = shift;
    this.size = size;
  }

  /** Number of pairs. */
  public int size() {
    return size;
  }

  /**
   * The merge of two neighbours: {@code rank << 32 | merged}, lower ranks first; {@link #NONE} if
   * they do not merge.
   */
  public long find(int left, int right) {
    long key = (long) left << 32 | right;
    long[] table = slots;
    int at = (int) ((key * FACTOR) >>> shift) << 1;
    while (true) {
      long found = table[at];
      if (found == key) {
        return table[at + 1];
      }
      if (found == FREE) {
        return NONE;
      }
      at = (at + 2) & (table.length - 1);
    }
  }

  /** Collects merges. Not thread-safe. */
  public static final class Builder {
    private static final int MAX_PAIRS = 1 << 26;

    private long[] slots;
    private int shift;
    private int size;

    /** Expects about so many pairs; more are possible. */
    public Builder(int expected) {
      int bits = 4;
      while (1L << bits < 2L * Math.min(Math.max(expected, 1), MAX_PAIRS)) {
        bits++;
      }
      allocate(bits);
    }

    private void allocate(int bits) {
      slots = new long[2 << bits];
      Arrays.fill(slots, FREE);
      shift = 64 - bits;
    }

    /**
     * Adds a merge. The first of two for the same pair stays.
     *
     * @param left not negative
     * @param right not negative
     * @param merged not negative
     * @param rank not negative, lower merges first; merges of equal rank go from left to right
     * @return false if the pair was there already
     * @throws IllegalArgumentException if there are more than 2^26 pairs
     */
    public boolean add(int left, int right, int merged, int rank) {
      if ((left | right | merged | rank) < 0) {
        throw new IllegalArgumentException(
            "negative: left "
                + left
                + ", right "
                + right
                + ", merged "
                + merged
                + ", rank "
                + rank);
      }
      if (4L * size >= slots.length) {
        grow();
      }
      if (!put((long) left << 32 | right, (long) rank << 32 | merged)) {
        return false;
      }
      size++;
      return true;
    }

    private boolean put(long key, long value) {
      int at = (int) ((key * FACTOR) >>> shift) << 1;
      while (slots[at] != FREE) {
        if (slots[at] == key) {
          return false;
        }
        at = (at + 2) & (slots.length - 1);
      }
      slots[at] = key;
      slots[at + 1] = value;
      return true;
    }

    private void grow() {
      if (size >= MAX_PAIRS) {
        throw new IllegalArgumentException("more than " + MAX_PAIRS + " merges");
      }
      long[] old = slots;
      allocate(64 - shift + 1);
      for (int i = 0; i < old.length; i += 2) {
        if (old[i] != FREE) {
          put(old[i], old[i + 1]);
        }
      }
    }

    /** The table; the builder must not be used again. */
    public MergeTable build() {
      return new MergeTable(slots, shift, size);
    }
  }

  static int rank(long merge) {
    return (int) (merge >>> 32);
  }
}
