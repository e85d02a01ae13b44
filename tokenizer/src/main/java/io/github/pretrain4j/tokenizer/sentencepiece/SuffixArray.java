package io.github.pretrain4j.tokenizer.sentencepiece;

import java.util.Arrays;

/**
 * The suffixes of an integer text in order, in time linear in its length: induced sorting. A suffix
 * that is a prefix of another comes first.
 *
 * <p>A position is of type S if its suffix is smaller than the next position's, else of type L; an
 * S after an L is leftmost, LMS. Sorted LMS suffixes put all L suffixes in order in one pass from
 * the left, and those all S suffixes in one from the right. LMS suffixes get sorted by naming the
 * stretches between them (sorted by the same two passes) and, if two are equal, sorting the text of
 * the names.
 *
 * @see <a href="https://doi.org/10.1109/TC.2010.188">Nong, Zhang and Chan, 2011</a>
 */
final class SuffixArray {
  private static final int NONE = -1;

  private final int[] text;
  private final int length;
  private final int alphabet;
  private final boolean[] smaller;
  private final int[] bucketSizes;
  private final int[] sorted;

  private SuffixArray(int[] text, int length, int alphabet) {
    this.text = text;
    this.length = length;
    this.alphabet = alphabet;
    smaller = new boolean[length];
    bucketSizes = new int[alphabet];
    sorted = new int[length];
  }

  /**
   * Positions of suffixes, smallest first.
   *
   * @param text values from 0 to {@code alphabet - 1}
   */
  static int[] of(int[] text, int alphabet) {
    return new SuffixArray(text, text.length, alphabet).sort();
  }

  private int[] sort() {
    if (length == 0) {
      return sorted;
    }
    for (int i = length - 2; i >= 0; i--) {
      smaller[i] = text[i] < text[i + 1] || (text[i] == text[i + 1] && smaller[i + 1]);
    }
    for (int i = 0; i < length; i++) {
      bucketSizes[text[i]]++;
    }
    int[] leftmost = leftmostPositions();
    induce(leftmost);
    if (leftmost.length > 1) {
      induce(sortLeftmost(leftmost));
    }
    return sorted;
  }

  private boolean isLeftmost(int i) {
    return i > 0 && smaller[i] && !smaller[i - 1];
  }

  private int[] leftmostPositions() {
    int count = 0;
    for (int i = 1; i < length; i++) {
      count += isLeftmost(i) ? 1 : 0;
    }
    int[] positions = new int[count];
    count = 0;
    for (int i = 1; i < length; i++) {
      if (isLeftmost(i)) {
        positions[count++] = i;
      }
    }
    return positions;
  }

  /** Sorts all suffixes as far as {@code leftmost}, in that order within a bucket, decides it. */
  private void induce(int[] leftmost) {
    Arrays.fill(sorted, NONE);
    int[] ends = bucketEnds();
    for (int i = leftmost.length - 1; i >= 0; i--) {
      sorted[--ends[text[leftmost[i]]]] = leftmost[i];
    }
    int[] starts = bucketStarts();
    sorted[starts[text[length - 1]]++] = length - 1; // followed by the end, which is smallest
    for (int i = 0; i < length; i++) {
      int before = sorted[i] - 1;
      if (before >= 0 && !smaller[before]) {
        sorted[starts[text[before]]++] = before;
      }
    }
    ends = bucketEnds();
    for (int i = length - 1; i >= 0; i--) {
      int before = sorted[i] - 1;
      if (before >= 0 && smaller[before]) {
        sorted[--ends[text[before]]] = before;
      }
    }
  }

  private int[] bucketStarts() {
    int[] starts = new int[alphabet];
    for (int c = 1; c < alphabet; c++) {
      starts[c] = starts[c - 1] + bucketSizes[c - 1];
    }
    return starts;
  }

  private int[] bucketEnds() {
    int[] ends = new int[alphabet];
    int end = 0;
    for (int c = 0; c < alphabet; c++) {
      end += bucketSizes[c];
      ends[c] = end;
    }
    return ends;
  }

  /** The LMS positions in the order of their suffixes, from {@link #sorted}'s rough order. */
  private int[] sortLeftmost(int[] leftmost) {
    int[] nameAt = new int[length];
    int[] rough = new int[leftmost.length];
    int count = 0;
    for (int position : sorted) {
      if (isLeftmost(position)) {
        rough[count++] = position;
      }
    }
    int names = 0;
    for (int i = 1; i < count; i++) {
      names += sameStretch(rough[i - 1], rough[i]) ? 0 : 1;
      nameAt[rough[i]] = names;
    }
    int[] reduced = new int[count];
    for (int i = 0; i < count; i++) {
      reduced[i] = nameAt[leftmost[i]];
    }
    int[] order = new int[count];
    if (names + 1 == count) {
      for (int i = 0; i < count; i++) {
        order[reduced[i]] = leftmost[i];
      }
    } else {
      int[] reducedOrder = of(reduced, names + 1);
      for (int i = 0; i < count; i++) {
        order[i] = leftmost[reducedOrder[i]];
      }
    }
    return order;
  }

  /** Whether the texts from two LMS positions to the next LMS positions are the same. */
  private boolean sameStretch(int a, int b) {
    for (int i = 0; ; i++) {
      if (a + i == length || b + i == length || text[a + i] != text[b + i]) {
        return false;
      }
      boolean endsA = i > 0 && isLeftmost(a + i);
      boolean endsB = i > 0 && isLeftmost(b + i);
      if (endsA || endsB) {
        return endsA && endsB;
      }
    }
  }

  /**
   * How many values each suffix of {@code order} has in common with the one before it, up to the
   * first {@code end}.
   */
  static int[] commonPrefixes(int[] text, int[] order, int end) {
    int[] rank = new int[text.length];
    for (int i = 0; i < order.length; i++) {
      rank[order[i]] = i;
    }
    int[] common = new int[text.length];
    int length = 0;
    for (int i = 0; i < text.length; i++) {
      if (rank[i] == 0) {
        length = 0;
        continue;
      }
      int j = order[rank[i] - 1];
      while (i + length < text.length
          && j + length < text.length
          && text[i + length] == text[j + length]
          && text[i + length] != end) {
        length++;
      }
      common[rank[i]] = length;
      length = Math.max(0, length - 1);
    }
    return common;
  }
}
