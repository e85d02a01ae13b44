package io.github.pretrain4j.tokenizer.bpe;

/**
 * Merges the symbols of one segment until no two neighbours merge: always the pair of the lowest
 * rank, of equals the leftmost. Not thread-safe.
 *
 * <p>Short segments are scanned for the best pair again and again. Longer ones take a binary heap
 * of {@code rank << 32 | position} over a linked list: n log n time and 24 bytes a symbol, whatever
 * the text.
 */
public final class Merger {
  private static final int SCAN_LIMIT = 32;

  /** The memory for a longer segment is not kept for the next. */
  private static final int KEPT_SYMBOLS = 1 << 18;

  private final MergeTable merges;

  /** Of each position, its merge with the one after it. */
  private final long[] pair = new long[SCAN_LIMIT];

  private int[] next = new int[0];
  private int[] previous = new int[0];
  private LongHeap heap = new LongHeap(SCAN_LIMIT);

  /** A merger for one thread. */
  public Merger(MergeTable merges) {
    this.merges = merges;
  }

  /**
   * Merges {@code symbols[0, count)} in place.
   *
   * @return how many symbols are left, at the start of the array
   */
  public int merge(int[] symbols, int count) {
    if (count < 2) {
      return count;
    }
    return count <= SCAN_LIMIT ? scan(symbols, count) : heap(symbols, count);
  }

  private int scan(int[] symbols, int count) {
    for (int i = 0; i < count - 1; i++) {
      pair[i] = merges.find(symbols[i], symbols[i + 1]);
    }
    int left = count;
    while (true) {
      long lowest = MergeTable.NONE >>> 32;
      int at = -1;
      for (int i = 0; i < left - 1; i++) {
        long rank = pair[i] >>> 32;
        if (rank < lowest) {
          lowest = rank;
          at = i;
        }
      }
      if (at < 0) {
        return left;
      }
      symbols[at] = (int) pair[at];
      left--;
      for (int i = at + 1; i < left; i++) {
        symbols[i] = symbols[i + 1];
        pair[i] = pair[i + 1];
      }
      if (at + 1 < left) {
        pair[at] = merges.find(symbols[at], symbols[at + 1]);
      }
      if (at > 0) {
        pair[at - 1] = merges.find(symbols[at - 1], symbols[at]);
      }
    }
  }

  /**
   * An entry of the heap is stale if its position was merged into another, or its pair's rank has
   * changed. One whose pair is another by now but has the same rank is as good as the entry that
   * was added for that pair: same rank, same position.
   */
  private int heap(int[] symbols, int count) {
    if (next.length < count) {
      int capacity = (int) Math.min(Integer.MAX_VALUE - 8L, count + (count >> 1));
      next = new int[capacity];
      previous = new int[capacity];
    }
    heap.clear();
    for (int i = 0; i < count; i++) {
      next[i] = i + 1 < count ? i + 1 : -1;
      previous[i] = i - 1;
      if (i + 1 < count) {
        addToHeap(symbols, i);
      }
    }
    while (!heap.isEmpty()) {
      long entry = heap.poll();
      int at = (int) entry;
      int after = next[at];
      if (symbols[at] < 0 || after < 0) {
        continue;
      }
      long merge = merges.find(symbols[at], symbols[after]);
      if (merge == MergeTable.NONE || MergeTable.rank(merge) != (int) (entry >>> 32)) {
        continue;
      }
      symbols[at] = (int) merge;
      symbols[after] = -1;
      next[at] = next[after];
      if (next[after] >= 0) {
        previous[next[after]] = at;
        addToHeap(symbols, at);
      }
      if (previous[at] >= 0) {
        addToHeap(symbols, previous[at]);
      }
    }
    int left = 0;
    for (int i = 0; i >= 0; i = next[i]) {
      symbols[left++] = symbols[i];
    }
    if (count > KEPT_SYMBOLS) {
      next = new int[0];
      previous = new int[0];
      heap = new LongHeap(SCAN_LIMIT);
    }
    return left;
  }

  private void addToHeap(int[] symbols, int at) {
    long merge = merges.find(symbols[at], symbols[next[at]]);
    if (merge != MergeTable.NONE) {
      heap.add((merge >>> 32) << 32 | at);
    }
  }
}
