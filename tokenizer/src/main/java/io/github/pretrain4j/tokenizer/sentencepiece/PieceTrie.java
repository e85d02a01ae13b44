package io.github.pretrain4j.tokenizer.sentencepiece;

import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * Finds the pieces that are prefixes of a text. Immutable once built.
 *
 * <p>A double array over bytes: node {@code t = base[s] + b} is the child of {@code s} by byte
 * {@code b} if {@code parent[t] == s}. Built breadth first from sorted keys, each node at the first
 * place from {@link #firstFree} where all its children fit.
 */
final class PieceTrie {
  static final int ROOT = 0;
  static final int NO_NODE = -1;
  static final int NO_VALUE = -1;

  private static final int ALPHABET = 256;

  private int[] base = new int[1 << 12];
  private int[] parent = new int[1 << 12];
  private int[] value = new int[1 << 12];
  private int firstFree = 1;

  /**
   * A trie of some pieces.
   *
   * @param ids the pieces, each of which {@code texts} has bytes for; no two have the same
   */
  PieceTrie(PieceTexts texts, int[] ids) {
    Arrays.fill(parent, NO_NODE);
    Arrays.fill(value, NO_VALUE);
    parent[ROOT] = ROOT;
    int[] sorted = texts.sortedByBytes(ids);
    // Each entry of the queue: node, first and last+1 of its keys in the sorted order, depth.
    int[] queue = new int[1 << 10];
    int head = 0;
    int tail = 0;
    queue[tail++] = ROOT;
    queue[tail++] = 0;
    queue[tail++] = sorted.length;
    queue[tail++] = 0;
    byte[] bytes = texts.bytes();
    int[] childFrom = new int[ALPHABET + 1];
    int[] childByte = new int[ALPHABET];
    while (head < tail) {
      int node = queue[head];
      int from = queue[head + 1];
      int to = queue[head + 2];
      int depth = queue[head + 3];
      head += 4;
      if (from < to && texts.end(sorted[from]) - texts.start(sorted[from]) == depth) {
        value[node] = sorted[from++];
      }
      int children = 0;
      for (int i = from; i < to; ) {
        byte label = bytes[texts.start(sorted[i]) + depth];
        childFrom[children] = i;
        childByte[children++] = label & 0xFF;
        while (i < to && bytes[texts.start(sorted[i]) + depth] == label) {
          i++;
        }
      }
      if (children == 0) {
        continue;
      }
      childFrom[children] = to;
      int at = place(childByte, children);
      base[node] = at;
      for (int k = 0; k < children; k++) {
        parent[at + childByte[k]] = node;
        if (tail + 4 > queue.length) {
          if (head > queue.length / 2) {
            System.arraycopy(queue, head, queue, 0, tail - head);
            tail -= head;
            head = 0;
          } else {
            queue = Arrays.copyOf(queue, Math.multiplyExact(queue.length, 2));
          }
        }
        queue[tail++] = at + childByte[k];
        queue[tail++] = childFrom[k];
        queue[tail++] = childFrom[k + 1];
        queue[tail++] = depth + 1;
      }
    }
  }

  /** A trie of the USER_DEFINED pieces; null if none can occur. */
  static @Nullable PieceTrie ofUserSymbols(
      List<SentencePieceModel.Piece> pieces, PieceTexts texts) {
    int[] ids =
        IntStream.range(0, pieces.size())
            .filter(id -> pieces.get(id).type() == PieceType.USER_DEFINED && texts.canOccur(id))
            .toArray();
    return ids.length == 0 ? null : new PieceTrie(texts, ids);
  }

  /** A base at which the children of a node find free places. */
  private int place(int[] labels, int count) {
    while (isTaken(firstFree)) {
      firstFree++;
    }
    int probes = 0;
    for (int first = firstFree; ; first++) {
      if (isTaken(first)) {
        continue;
      }
      int at = first - labels[0];
      if (at < 0) {
        continue;
      }
      reserve(at + ALPHABET);
      boolean fits = true;
      for (int k = 1; k < count && fits; k++) {
        fits = parent[at + labels[k]] == NO_NODE;
      }
      if (fits) {
        return at;
      }
      if (++probes == 64) {
        firstFree = first; // crowded up to here: not worth looking again
        probes = 0;
      }
    }
  }

  private boolean isTaken(int at) {
    reserve(at + 1);
    return parent[at] != NO_NODE;
  }

  private void reserve(int length) {
    if (length > parent.length) {
      int old = parent.length;
      int capacity = Math.max(length, Math.addExact(old, old >> 1));
      base = Arrays.copyOf(base, capacity);
      parent = Arrays.copyOf(parent, capacity);
      value = Arrays.copyOf(value, capacity);
      Arrays.fill(parent, old, capacity, NO_NODE);
      Arrays.fill(value, old, capacity, NO_VALUE);
    }
  }

  /** The child of a node by a byte, or {@link #NO_NODE}. */
  int child(int node, byte label) {
    int at = base[node] + (label & 0xFF);
    return at < parent.length && parent[at] == node && at != ROOT ? at : NO_NODE;
  }

  /** The piece that ends at a node, or {@link #NO_VALUE}. */
  int valueAt(int node) {
    return value[node];
  }

  /**
   * The longest piece that is a prefix of {@code text[from, to)}.
   *
   * @return its length in the upper half and its id in the lower half; 0 if there is none
   */
  long longestPrefix(byte[] text, int from, int to) {
    long found = 0;
    int node = ROOT;
    for (int i = from; i < to; i++) {
      node = child(node, text[i]);
      if (node == NO_NODE) {
        return found;
      }
      if (value[node] != NO_VALUE) {
        found = (long) (i + 1 - from) << 32 | value[node];
      }
    }
    return found;
  }

  /** The piece equal to {@code text[from, to)}, or {@link #NO_VALUE}. */
  int find(byte[] text, int from, int to) {
    int node = ROOT;
    for (int i = from; i < to; i++) {
      node = child(node, text[i]);
      if (node == NO_NODE) {
        return NO_VALUE;
      }
    }
    return value[node];
  }
}
