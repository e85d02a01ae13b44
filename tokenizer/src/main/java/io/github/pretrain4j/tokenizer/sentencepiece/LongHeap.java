package io.github.pretrain4j.tokenizer.sentencepiece;

import java.util.Arrays;

/** A binary heap of {@code long} keys, smallest first. Not thread-safe. */
final class LongHeap {
  private long[] keys;
  private int size;

  LongHeap(int capacity) {
    keys = new long[Math.max(16, capacity)];
  }

  boolean isEmpty() {
    return size == 0;
  }

  void add(long key) {
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

  long poll() {
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
