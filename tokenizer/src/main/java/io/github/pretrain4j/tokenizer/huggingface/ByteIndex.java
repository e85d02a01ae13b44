package io.github.pretrain4j.tokenizer.huggingface;

import java.util.Arrays;

/** A map from byte strings to ids, all in three arrays. Immutable once filled. */
final class ByteIndex {
  /** {@link #find}: no such string. */
  static final int NONE = -1;

  private byte[] arena = new byte[1 << 10];
  private int arenaLength;

  /**
   * Of each entry: where it ends in the arena, and its id. An entry begins where the last ended.
   */
  private int[] ends = new int[64];

  private int[] ids = new int[64];
  private int size;

  /** Number of an entry plus one; zero is free. Half empty. */
  private int[] slots = new int[128];

  /**
   * Adds a string.
   *
   * @return false if it is there already
   */
  boolean add(byte[] bytes, int from, int to, int id) {
    if (2 * size >= slots.length) {
      grow();
    }
    int at = slot(bytes, from, to);
    if (slots[at] != 0) {
      return false;
    }
    if (size == ids.length) {
      ids = Arrays.copyOf(ids, 2 * size);
      ends = Arrays.copyOf(ends, 2 * size);
    }
    int length = to - from;
    if (arena.length - arenaLength < length) {
      arena = Arrays.copyOf(arena, Math.max(2 * arena.length, arenaLength + length));
    }
    System.arraycopy(bytes, from, arena, arenaLength, length);
    arenaLength += length;
    ends[size] = arenaLength;
    ids[size] = id;
    slots[at] = ++size;
    return true;
  }

  private void grow() {
    slots = new int[2 * slots.length];
    for (int entry = 0; entry < size; entry++) {
      slots[slot(arena, begin(entry), ends[entry])] = entry + 1;
    }
  }

  int find(byte[] bytes, int from, int to) {
    int entry = slots[slot(bytes, from, to)] - 1;
    return entry < 0 ? NONE : ids[entry];
  }

  private int slot(byte[] bytes, int from, int to) {
    int hash = 0;
    for (int i = from; i < to; i++) {
      hash = 31 * hash + bytes[i];
    }
    hash *= 0x9E3779B1;
    int at = (hash ^ hash >>> 15) & (slots.length - 1);
    while (slots[at] != 0) {
      int entry = slots[at] - 1;
      if (Arrays.equals(arena, begin(entry), ends[entry], bytes, from, to)) {
        return at;
      }
      at = (at + 1) & (slots.length - 1);
    }
    return at;
  }

  int size() {
    return size;
  }

  int begin(int entry) {
    return entry == 0 ? 0 : ends[entry - 1];
  }

  int end(int entry) {
    return ends[entry];
  }

  int id(int entry) {
    return ids[entry];
  }

  /** Holds the bytes of all entries. */
  byte[] arena() {
    return arena;
  }
}
