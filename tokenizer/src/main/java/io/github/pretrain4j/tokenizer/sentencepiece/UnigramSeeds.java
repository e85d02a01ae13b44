package io.github.pretrain4j.tokenizer.sentencepiece;

import java.util.Arrays;

/**
 * The strings a unigram training starts from: of all that occur at least twice and cannot be
 * continued without losing occurrences, those with the highest frequency times length.
 *
 * <p>They are the inner nodes of the suffix tree of the words, which a suffix array and the lengths
 * of common prefixes give, and the ends of words that occur more than once. Words lie in {@code
 * text} one after the other, each followed by {@link #END}; a suffix counts as often as its word.
 */
final class UnigramSeeds {
  static final int END = 0;

  /** Tells whether a part of the text may be a piece. */
  @FunctionalInterface
  interface Filter {
    boolean allows(int from, int length);
  }

  private final int[] text;
  private final int[] order;
  private final int[] common;
  private final long[] countBefore;
  private final int maxLength;
  private final Filter filter;

  private long[] places = new long[1 << 12];
  private long[] scores = new long[1 << 12];
  private int found;

  /** Where each seed begins in the text; seeds are in the order of their symbols. */
  int[] start = {};

  int[] length = {};

  /** Frequency times length. */
  long[] score = {};

  /**
   * Finds the seeds.
   *
   * @param countAt how often the word at a position of the text occurs
   * @param limit how many seeds at most
   */
  UnigramSeeds(int[] text, int alphabet, long[] countAt, int maxLength, int limit, Filter filter) {
    this.text = text;
    this.maxLength = maxLength;
    this.filter = filter;
    order = SuffixArray.of(text, alphabet);
    common = SuffixArray.commonPrefixes(text, order, END);
    countBefore = new long[text.length + 1];
    for (int i = 0; i < text.length; i++) {
      countBefore[i + 1] = countBefore[i] + countAt[order[i]];
    }
    innerNodes();
    wordEnds(countAt);
    keepBest(limit);
  }

  /** Runs of suffixes that share more than their surroundings do, from a stack of open ones. */
  private void innerNodes() {
    int[] left = new int[maxLengthOfStack()];
    int[] depth = new int[left.length];
    int open = 0;
    for (int i = 1; i <= text.length; i++) {
      int now = i < text.length ? common[i] : 0;
      int begin = i - 1;
      while (open > 0 && depth[open - 1] > now) {
        open--;
        begin = left[open];
        add(begin, i, depth[open]);
      }
      if (now > 0 && (open == 0 || depth[open - 1] < now)) {
        left[open] = begin;
        depth[open++] = now;
      }
    }
  }

  private int maxLengthOfStack() {
    int most = 0;
    for (int length : common) {
      most = Math.max(most, length);
    }
    return most + 1;
  }

  /** Suffixes that are longer than what they share with both neighbours. */
  private void wordEnds(long[] countAt) {
    int[] rest = new int[text.length];
    for (int i = text.length - 1; i >= 0; i--) {
      rest[i] = text[i] == END ? 0 : 1 + (i + 1 < text.length ? rest[i + 1] : 0);
    }
    for (int i = 0; i < text.length; i++) {
      int shared = Math.max(common[i], i + 1 < text.length ? common[i + 1] : 0);
      if (rest[order[i]] > shared && countAt[order[i]] > 1) {
        add(i, i + 1, rest[order[i]]);
      }
    }
  }

  private void add(int begin, int end, int depth) {
    if (depth < 2 || depth > maxLength || !filter.allows(order[begin], depth)) {
      return;
    }
    if (found == places.length) {
      places = Arrays.copyOf(places, Math.multiplyExact(found, 2));
      scores = Arrays.copyOf(scores, places.length);
    }
    places[found] = (long) begin << 32 | depth;
    scores[found++] = (countBefore[end] - countBefore[begin]) * depth;
  }

  private void keepBest(int limit) {
    long[] byPlace = sortedByPlace();
    double[] ordered = new double[found];
    for (int i = 0; i < found; i++) {
      ordered[i] = scores[(int) byPlace[i]];
    }
    boolean[] stays = Largest.of(ordered, limit);
    start = new int[Math.min(found, limit)];
    length = new int[start.length];
    score = new long[start.length];
    int kept = 0;
    for (int i = 0; i < found; i++) {
      if (stays[i]) {
        int at = (int) byPlace[i];
        start[kept] = order[(int) (places[at] >>> 32)];
        length[kept] = (int) places[at];
        score[kept++] = scores[at];
      }
    }
  }

  /** Numbers of what was found in the lower halves, in the order of the strings. */
  private long[] sortedByPlace() {
    // Of strings that begin in the same place of the order, the shorter comes first; more than
    // maxLength of them there cannot be, so they are put in order one by one.
    long[] keys = new long[found];
    for (int i = 0; i < found; i++) {
      keys[i] = (places[i] >>> 32) << 32 | i;
    }
    Arrays.sort(keys);
    for (int i = 1; i < found; i++) {
      for (int j = i; j > 0 && places[(int) keys[j]] < places[(int) keys[j - 1]]; j--) {
        long key = keys[j];
        keys[j] = keys[j - 1];
        keys[j - 1] = key;
      }
    }
    return keys;
  }
}
