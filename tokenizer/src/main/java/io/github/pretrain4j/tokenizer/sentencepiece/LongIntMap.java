package io.github.pretrain4j.tokenizer.sentencepiece;

import java.util.Arrays;
import java.util.function.LongConsumer;

/**
 * A hash table from {@code long} keys to non-negative {@code int} values, without boxes. The key -1
 * is not allowed. Readers may share it once nobody writes.
 */
final class LongIntMap {
  static final int ABSENT = -1;
  private static final long EMPTY = -1L;

  private long[] keys;
  private int[] values;
  private int size;

  LongIntMap(int expectedSize) {
    int capacity = Integer.highestOneBit(Math.max(8, expectedSize)) << 2;
    keys = new long[capacity];
    values = new int[capacity];
    Arrays.fill(keys, EMPTY);
  }

  /** Two ids as one key. */
  static long pair(int left, int right) {
    return (long) left << 32 | (right & 0xFFFFFFFFL);
  }

  int size() {
    return size;
  }

  int get(long key) {
    int mask = keys.length - 1;
    for (int slot = slot(key, mask); ; slot = (slot + 1) & mask) {
      long found = keys[slot];
      if (found == key) {
        return values[slot];
      }
      if (found == EMPTY) {
        return ABSENT;
      }
    }
  }

  void put(long key, int value) {
    if (key == EMPTY || value < 0) {
      throw new IllegalArgumentException("key " + key + ", value " + value);
    }
    if (size + 1 > keys.length / 2) {
      grow();
    }
    int mask = keys.length - 1;
    int slot = slot(key, mask);
    while (keys[slot] != EMPTY && keys[slot] != key) {
      slot = (slot + 1) & mask;
    }
    if (keys[slot] == EMPTY) {
      size++;
    }
    keys[slot] = key;
    values[slot] = value;
  }

  /** Calls {@code action} with every key, in no order. */
  void forEachKey(LongConsumer action) {
    for (long key : keys) {
      if (key != EMPTY) {
        action.accept(key);
      }
    }
  }

  private void grow() {
    long[] oldKeys = keys;
    int[] oldValues = values;
    keys = new long[Math.multiplyExact(oldKeys.length, 2)];
    values = new int[keys.length];
    Arrays.fill(keys, EMPTY);
    int mask = keys.length - 1;
    for (int i = 0; i < oldKeys.length; i++) {
      if (oldKeys[i] != EMPTY) {
        int slot = slot(oldKeys[i], mask);
        while (keys[slot] != EMPTY) {
          slot = (slot + 1) & mask;
        }
        keys[slot] = oldKeys[i];
        values[slot] = oldValues[i];
      }
    }
  }

  private static int slot(long key, int mask) {
    long mixed = key * 0x9E3779B97F4A7C15L;
    return (int) (mixed >>> 32) & mask;
  }
}
