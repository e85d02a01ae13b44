package io.github.pretrain4j.tokenizer.sentencepiece;

import java.util.Arrays;

/**
 * All ways to cut words into pieces, and what a unigram model with given scores (logarithms of
 * probabilities) says about them. Every single character is a piece. Not thread-safe.
 *
 * <p>With the places of a word as states and pieces as edges from {@code s} to {@code e}, the sum
 * over all ways to reach a place, {@code alpha[e] = log sum exp(alpha[s] + score)}, is taken from
 * the left; from the right follow {@code beta[s] = log sum exp(score + beta[e])} and the share of
 * ways that use an edge, {@code exp(alpha[s] + score + beta[e] - alpha[end])}. Since the shares of
 * the edges that leave a place add up to {@code exp(alpha[s] + beta[s] - alpha[end])}, beta comes
 * from the shares with one exponential an edge.
 */
final class UnigramLattice {
  private final int[] text;
  private final SymbolTrie trie;
  private final int[] length;
  private final double[] score;

  private double[] alpha = new double[64];
  private double[] largest = new double[64];
  private double[] beta = new double[64];
  private int[] firstEdge = new int[64];
  private int[] bestEdge = new int[64];
  private int[] edge = new int[256];
  private int edges;

  /**
   * Sets the model.
   *
   * @param text holds words and pieces
   * @param length length of each piece of the trie
   * @param score score of each piece; may change between calls
   */
  UnigramLattice(int[] text, SymbolTrie trie, int[] length, double[] score) {
    this.text = text;
    this.trie = trie;
    this.length = length;
    this.score = score;
  }

  /** Finds the pieces of the word {@code text[from, to)} and returns its length. */
  private int open(int from, int to) {
    int size = to - from;
    if (size >= alpha.length) {
      int capacity = Math.toIntExact(size + (size >> 1) + 1L);
      alpha = new double[capacity];
      largest = new double[capacity];
      beta = new double[capacity];
      firstEdge = new int[capacity];
      bestEdge = new int[capacity];
    }
    edges = 0;
    for (int at = 0; at < size; at++) {
      firstEdge[at] = edges;
      int node = 0;
      for (int i = from + at; i < to; i++) {
        node = trie.child(node, text[i]);
        if (node == SymbolTrie.NONE) {
          break;
        }
        int piece = trie.piece(node);
        if (piece != SymbolTrie.NONE) {
          if (edges == edge.length) {
            edge = Arrays.copyOf(edge, Math.multiplyExact(edges, 2));
          }
          edge[edges++] = piece;
        }
      }
    }
    firstEdge[size] = edges;
    return size;
  }

  /**
   * Adds, for every piece, how often it is expected in the word, {@code count} times.
   *
   * @return logarithm of the word's probability: of all its ways together
   */
  double addExpected(int from, int to, double count, double[] expected) {
    int size = open(from, to);
    // alpha holds sums relative to exp(largest) until their place is reached.
    Arrays.fill(alpha, 0, size + 1, 0);
    Arrays.fill(largest, 0, size + 1, Double.NEGATIVE_INFINITY);
    alpha[0] = 1;
    largest[0] = 0;
    for (int at = 0; at < size; at++) {
      double reached = largest[at] + StrictMath.log(alpha[at]);
      alpha[at] = reached;
      for (int i = firstEdge[at]; i < firstEdge[at + 1]; i++) {
        double value = reached + score[edge[i]];
        int end = at + length[edge[i]];
        if (value <= largest[end]) {
          alpha[end] += StrictMath.exp(value - largest[end]);
        } else {
          alpha[end] = alpha[end] * StrictMath.exp(largest[end] - value) + 1;
          largest[end] = value;
        }
      }
    }
    double all = largest[size] + StrictMath.log(alpha[size]);
    beta[size] = 0;
    for (int at = size - 1; at >= 0; at--) {
      double shares = 0;
      for (int i = firstEdge[at]; i < firstEdge[at + 1]; i++) {
        int piece = edge[i];
        double share = StrictMath.exp(alpha[at] + score[piece] + beta[at + length[piece]] - all);
        shares += share;
        expected[piece] += count * share;
      }
      beta[at] = all - alpha[at] + StrictMath.log(shares);
    }
    return all;
  }

  /** Adds {@code count} to every piece of the word's best segmentation. */
  void addBest(int from, int to, double count, double[] frequency) {
    int size = best(from, to, SymbolTrie.NONE);
    for (int at = size; at > 0; at -= length[bestEdge[at]]) {
      frequency[bestEdge[at]] += count;
    }
  }

  /** The pieces of the best segmentation without one piece, last one first. */
  int[] bestWithout(int from, int to, int excluded) {
    int size = best(from, to, excluded);
    int count = 0;
    for (int at = size; at > 0; at -= length[bestEdge[at]]) {
      count++;
    }
    int[] pieces = new int[count];
    count = 0;
    for (int at = size; at > 0; at -= length[bestEdge[at]]) {
      pieces[count++] = bestEdge[at];
    }
    return pieces;
  }

  /** Of equal segmentations the one with the earlier start of its last piece is best. */
  private int best(int from, int to, int excluded) {
    int size = open(from, to);
    Arrays.fill(alpha, 0, size + 1, Double.NEGATIVE_INFINITY);
    alpha[0] = 0;
    for (int at = 0; at < size; at++) {
      for (int i = firstEdge[at]; i < firstEdge[at + 1]; i++) {
        int piece = edge[i];
        double value = alpha[at] + score[piece];
        int end = at + length[piece];
        if (piece != excluded && value > alpha[end]) {
          alpha[end] = value;
          bestEdge[end] = piece;
        }
      }
    }
    return size;
  }
}
