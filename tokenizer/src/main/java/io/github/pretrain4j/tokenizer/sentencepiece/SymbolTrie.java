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
    int[] from = new int[capacity];
    int[] to = new int[capacity];
    int[] depth = new int[capacity];
    nodes = symbols;
    Arrays.fill(pieceOf, NONE);
    for (int piece = 0; piece < start.length; ) {
      int symbol = text[start[piece]];
      int end = piece;
      while (end < start.length && text[start[end]] == symbol) {
        end++;
      }
      from[symbol] = piece;
      to[symbol] = end;
      depth[symbol] = 1;
      piece = end;
    }
    for (int node = 1; node < nodes; node++) {
      int piece = from[node];
      if (piece < to[node] && length[piece] == depth[node]) {
        pieceOf[node] = piece++;
      }
      firstChild[node] = nodes;
      while (piece < to[node]) {
        int symbol = text[start[piece] + depth[node]];
        int end = piece;
        while (end < to[node] && text[start[end] + depth[node]] == symbol) {
          end++;
        }
        if (nodes == symbolOf.length - 1) {
          int larger = Math.toIntExact(nodes + (nodes >> 1) + 16L);
          symbolOf = Arrays.copyOf(symbolOf, larger);
          firstChild = Arrays.copyOf(firstChild, larger);
          pieceOf = Arrays.copyOf(pieceOf, larger);
          Arrays.fill(pieceOf, nodes, larger, NONE);
          from = Arrays.copyOf(from, larger);
          to = Arrays.copyOf(to, larger);
          depth = Arrays.copyOf(depth, larger);
        }
        symbolOf[nodes] = symbol;
        from[nodes] = piece;
        to[nodes] = end;
        depth[nodes] = depth[node] + 1;
        nodes++;
        piece = end;
      }
    }
    firstChild[nodes] = nodes;
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
