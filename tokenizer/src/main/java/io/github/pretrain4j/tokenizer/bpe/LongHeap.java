package io.github.pretrain4j.tokenizer.bpe;

import java.util.Arrays;

/** A binary heap of {@code long} keys, smallest first. Not thread-safe. */
public final class LongHeap {
  private long[] keys;
  private int size;

  /** An empty heap with room for some keys. */
  public LongHeap(int capacity) {
    keys = new long[Math.max(16, capacity)];
  }

  /** Whether there is no key. */
  public boolean isEmpty() {
    return size == 0;
  }

  /** Forgets all keys and keeps the memory. */
  public void clear() {
    size = 0;
  }

  /** Adds a key. */
  public void add(long key) {
    if (size == keys.length) {
      keys = Arrays.copyOf(keys, (int) Math.min(Integer.MAX_VALUE - 8, size + (size >> 1) + 16L));
    }
    int at = size++;
    while (at > 0) {
      int parent = (at - 1) >> 1;
      if (keys[parent] <= key) {
        break;
      }
      keys[at] = keys[parent];
      at = parent;
    }
    keys[at] = key;
  }

  /** Takes the smallest key; there must be one. */
  public long poll() {
    long top = keys[0];
    long last = keys[--size];
    int at = 0;
    while (true) {
      int child = 2 * at + 1;
      if (child >= size) {
        break;
      }
      if (child + 1 < size && keys[child + 1] < keys[child]) {
        child++;
      }
      if (keys[child] >= last) {
        break;
      }
      keys[at] = keys[child];
      at = child;
    }
    keys[at] = last;
    return top;
  }
}
