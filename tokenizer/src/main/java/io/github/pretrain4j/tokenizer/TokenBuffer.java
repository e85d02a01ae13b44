package io.github.pretrain4j.tokenizer;

import java.util.Arrays;

/**
 * A growing list of ids that its owner reuses: after the first texts, encoding into it allocates
 * nothing. Not thread-safe.
 */
public final class TokenBuffer {
  private int[] ids;
  private int length;

  /** An empty buffer with room for some ids. */
  public TokenBuffer(int capacity) {
    if (capacity < 0) {
      throw new IllegalArgumentException("capacity " + capacity + " is negative");
    }
    ids = new int[capacity];
  }

  /** Number of ids. */
  public int length() {
    return length;
  }

  /**
   * The id at an index.
   *
   * @throws IndexOutOfBoundsException if {@code index} is not below {@link #length}
   */
  public int get(int index) {
    if (index < 0 || index >= length) {
      throw new IndexOutOfBoundsException("index " + index + " of " + length + " ids");
    }
    return ids[index];
  }

  /** Forgets all ids and keeps the memory. */
  public void clear() {
    length = 0;
  }

  /** Adds an id. */
  public void add(int id) {
    if (length == ids.length) {
      reserve(1);
    }
    ids[length++] = id;
  }

  /**
   * The array behind the buffer, with room for {@code more} ids after the first {@link #length}.
   * Valid until the next call that adds.
   */
  public int[] reserve(int more) {
    if (ids.length - length < more) {
      long wanted = Math.max((long) length + more, length + (length >> 1) + 16L);
      if ((long) length + more > Integer.MAX_VALUE - 8) {
        throw new IllegalArgumentException("more than 2^31 ids in one buffer");
      }
      ids = Arrays.copyOf(ids, (int) Math.min(wanted, Integer.MAX_VALUE - 8));
    }
    return ids;
  }

  /** Says how many ids there are now, after writing into the array of {@link #reserve}. */
  public void setLength(int newLength) {
    if (newLength < 0 || newLength > ids.length) {
      throw new IllegalArgumentException("length " + newLength + " is not in 0 to " + ids.length);
    }
    length = newLength;
  }

  /** A copy of the ids. */
  public int[] toArray() {
    return Arrays.copyOf(ids, length);
  }
}
