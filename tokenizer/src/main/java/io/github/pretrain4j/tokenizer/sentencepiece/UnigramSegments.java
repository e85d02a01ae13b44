package io.github.pretrain4j.tokenizer.sentencepiece;

import java.util.Arrays;

/**
 * The most likely division into pieces, by Viterbi's algorithm.
 *
 * <p>The reference stores sums as floats, and how it adds decides near ties, so it must be done in
 * the same way. Up to release 0.2.1 a piece's score and the best sum so far are added as doubles
 * and compared with the float that was stored; an unknown character is pure float. In 0.2.2 all is
 * pure float. The sum runs through the whole text, so the same segment may be divided in two ways
 * at two places.
 *
 * <p><b>When it may not.</b> Let P be the best path through a segment by exact sums and {@code
 * margin} its lead over the second. Rounding is monotone, so the stored sum at the end is at least
 * that of P and is that of the path Q that is chosen. Each of the at most K additions of a path
 * moves its sum by half an ulp of the largest sum on the way at most. With {@code margin > 2 K ulp}
 * Q must be P. As no score is above zero, the largest sum is the one at the end: {@link #safeBelow}
 * is the magnitude up to which the division found holds.
 */
final class UnigramSegments implements SegmentEngine {
  private static final double NONE = Double.NEGATIVE_INFINITY;
  private static final int SAFE_BYTES = 32;

  private final UnigramVocabulary vocabulary;
  private final int unknownId;

  private float[] best = new float[64];
  private int[] start = new int[64];
  private int[] id = new int[64];

  /** Exact sums of the best and the second best path to each byte; of short segments only. */
  private final double[] first = new double[SAFE_BYTES + 1];

  private final double[] second = new double[SAFE_BYTES + 1];

  private float total;
  private float safeBelow;

  UnigramSegments(UnigramVocabulary vocabulary, int unknownId) {
    this.vocabulary = vocabulary;
    this.unknownId = unknownId;
  }

  @Override
  public void begin() {
    total = 0;
  }

  /** The sum of scores from the start of the text up to the last segment. */
  float total() {
    return total;
  }

  /** Goes on along the text by one piece, or by one unknown character. */
  void add(int piece) {
    total =
        piece == unknownId ? vocabulary.unknownScore + total : (float) vocabulary.sum(total, piece);
  }

  /** Goes back to an earlier sum. */
  void setTotal(float sum) {
    total = sum;
  }

  /**
   * For the last segment: its division is the same wherever the total after it is closer to zero
   * than this; 0 if nothing is known.
   */
  float safeBelow() {
    return safeBelow;
  }

  @Override
  public void encode(byte[] text, int from, int to, Edges parts) {
    int length = to - from;
    boolean isMeasured = length <= SAFE_BYTES && vocabulary.scoresOnlyFall;
    reserve(length + 1);
    Arrays.fill(start, 0, length + 1, -1);
    best[0] = total;
    if (isMeasured) {
      Arrays.fill(first, 0, length + 1, NONE);
      Arrays.fill(second, 0, length + 1, NONE);
      first[0] = 0;
    }
    for (int s = 0; s < length; ) {
      int charEnd = s + Utf8.lengthByLead(text[from + s]);
      float base = best[s];
      boolean single = false;
      int node = PieceTrie.ROOT;
      for (int e = s; e < length; ) {
        node = vocabulary.trie.child(node, text[from + e++]);
        if (node == PieceTrie.NO_NODE) {
          break;
        }
        int piece = vocabulary.trie.valueAt(node);
        if (piece != PieceTrie.NO_VALUE) {
          double candidate = vocabulary.sum(base, piece);
          if (start[e] < 0 || candidate > best[e]) {
            best[e] = (float) candidate;
            start[e] = s;
            id[e] = piece;
          }
          if (isMeasured) {
            measure(s, e, vocabulary.score(piece));
          }
          single |= e == charEnd;
        }
      }
      if (!single) {
        float candidate = vocabulary.unknownScore + base;
        if (start[charEnd] < 0 || candidate > best[charEnd]) {
          best[charEnd] = candidate;
          start[charEnd] = s;
          id[charEnd] = unknownId;
        }
        if (isMeasured) {
          measure(s, charEnd, vocabulary.unknownScore);
        }
      }
      s = charEnd;
    }
    total = best[length];
    int before = parts.count;
    for (int e = length; e > 0; e = start[e]) {
      parts.add(id[e], from + e);
    }
    parts.reverse(before);
    safeBelow = isMeasured ? safeMagnitude(first[length] - second[length], length) : 0;
  }

  /** Goes on along an edge with the two best exact sums. */
  private void measure(int s, int e, double score) {
    double sum = first[s] + score;
    if (sum > first[e]) {
      second[e] = Math.max(first[e], second[s] + score);
      first[e] = sum;
    } else {
      second[e] = Math.max(second[e], sum);
    }
  }

  /** The power of two below which {@code margin > 2 * additions * ulp}; 0 if there is none. */
  private static float safeMagnitude(double margin, int additions) {
    if (margin == Double.POSITIVE_INFINITY) {
      return 0x1p100f;
    }
    double ulp = margin / (2.0 * (additions + 1));
    if (!(ulp > Float.MIN_NORMAL)) {
      return 0;
    }
    // Floats below 2^e have an ulp of at most 2^(e - 24).
    return Math.scalb(1f, Math.min(100, Math.getExponent(ulp) + 24));
  }

  private void reserve(int count) {
    if (best.length < count) {
      int capacity = (int) Math.min(Integer.MAX_VALUE - 8L, count + (long) (count >> 1));
      best = new float[capacity];
      start = new int[capacity];
      id = new int[capacity];
    }
  }
}
