package io.github.pretrain4j.tokenizer.sentencepiece;

import java.util.Arrays;

/**
 * What a stretch of prepared text was divided into: for each part its piece, or the unknown id, and
 * the byte where it ends. A part of the unknown id is one character. Reused; not thread-safe.
 */
final class Edges {
  int[] ids = new int[64];
  int[] ends = new int[64];
  int count;

  void clear() {
    count = 0;
  }

  void add(int id, int end) {
    if (count == ids.length) {
      int capacity = (int) Math.min(Integer.MAX_VALUE - 8, count + (count >> 1) + 16L);
      ids = Arrays.copyOf(ids, capacity);
      ends = Arrays.copyOf(ends, capacity);
    }
    ids[count] = id;
    ends[count++] = end;
  }

  /** Turns the parts from {@code first} on around: they were added last to first. */
  void reverse(int first) {
    for (int i = first, k = count - 1; i < k; i++, k--) {
      int id = ids[i];
      ids[i] = ids[k];
      ids[k] = id;
      int end = ends[i];
      ends[i] = ends[k];
      ends[k] = end;
    }
  }
}
