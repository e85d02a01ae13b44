package io.github.pretrain4j.tokenizer.sentencepiece;

import java.util.Arrays;

/**
 * Strings over small integers as a trie, for finding all that begin at a place. Node 0 is the root,
 * node {@code s} the single symbol {@code s}; the children of a node are neighbours, in the order
 * of their symbols. Immutable.
 */
final class SymbolTrie {
  static final int NONE = -1;

  private int[] symbolOf;
  private int[] firstChild;
  private int[] pieceOf;
  private int nodes;

  /**
   * Builds a trie.
   *
   * @param text what the strings are parts of
   * @param start where each begins; strings must be in order, shorter ones first
   * @param length how long each is
   * @param symbols every symbol is below it
   */
  SymbolTrie(int[] text, int[] start, int[] length, int symbols) {
    int capacity = Math.max(2 * start.length, symbols) + 2;
    symbolOf = new int[capacity];
    firstChild = new int[capacity];
    pieceOf = new int[capacity];
    nodes = symbols;
    Arrays.fill(pieceOf, NONE);
    Ranges ranges = new Ranges(capacity);
    for (int piece = 0; piece < start.length; ) {
      int symbol = text[start[piece]];
      int end = piece;
      while (end < start.length && text[start[end]] == symbol) {
        end++;
      }
      ranges.set(symbol, piece, end, 1);
      piece = end;
    }
    for (int node = 1; node < nodes; node++) {
      int piece = ranges.from[node];
      int last = ranges.to[node];
      int depth = ranges.depth[node];
      if (piece < last && length[piece] == depth) {
        pieceOf[node] = piece++;
      }
      firstChild[node] = nodes;
      while (piece < last) {
        int symbol = text[start[piece] + depth];
        int end = piece;
        while (end < last && text[start[end] + depth] == symbol) {
          end++;
        }
        ranges.set(addNode(symbol, ranges), piece, end, depth + 1);
        piece = end;
      }
    }
    firstChild[nodes] = nodes;
  }

  private int addNode(int symbol, Ranges ranges) {
    if (nodes == symbolOf.length - 1) {
      int larger = Math.toIntExact(nodes + (nodes >> 1) + 16L);
      symbolOf = Arrays.copyOf(symbolOf, larger);
      firstChild = Arrays.copyOf(firstChild, larger);
      pieceOf = Arrays.copyOf(pieceOf, larger);
      Arrays.fill(pieceOf, nodes, larger, NONE);
      ranges.grow(larger);
    }
    symbolOf[nodes] = symbol;
    return nodes++;
  }

  /** Which strings are below each node, and how many symbols they share; while building. */
  private static final class Ranges {
    int[] from;
    int[] to;
    int[] depth;

    Ranges(int capacity) {
      from = new int[capacity];
      to = new int[capacity];
      depth = new int[capacity];
    }

    void set(int node, int newFrom, int newTo, int newDepth) {
      from[node] = newFrom;
      to[node] = newTo;
      depth[node] = newDepth;
    }

    void grow(int capacity) {
      from = Arrays.copyOf(from, capacity);
      to = Arrays.copyOf(to, capacity);
      depth = Arrays.copyOf(depth, capacity);
    }
  }

  /** The node below {@code node} for a symbol, or {@link #NONE}. */
  int child(int node, int symbol) {
    if (node == 0) {
      return symbol;
    }
    int low = firstChild[node];
    int high = firstChild[node + 1] - 1;
    while (low <= high) {
      int middle = (low + high) >>> 1;
      int found = symbolOf[middle];
      if (found < symbol) {
        low = middle + 1;
      } else if (found > symbol) {
        high = middle - 1;
      } else {
        return middle;
      }
    }
    return NONE;
  }

  /** The string that ends at a node, or {@link #NONE}. */
  int piece(int node) {
    return pieceOf[node];
  }
}
