package io.github.pretrain4j.dataset.gpt;

import java.util.Arrays;

/**
 * Which dataset of a blend each sample comes from, and which of that dataset's samples it is, by
 * Megatron's rule: give the next sample to the dataset that is furthest behind its share.
 *
 * <p>The error of dataset i before sample k is {@code w[i] * max(k, 1) - count[i]}; the first
 * dataset with the largest error is next. In doubles, with a rounding after the product: a fused
 * multiply-add gives another order.
 *
 * @param datasetIndex the dataset of each sample
 * @param datasetSampleIndex its place among that dataset's samples
 */
record BlendIndex(IndexArray datasetIndex, IndexArray datasetSampleIndex) {
  /** Megatron stores the number of a dataset in 16 bits. */
  static final int MAX_DATASETS = Short.MAX_VALUE - 1;

  private static final int ARRAY_LIMIT = Integer.MAX_VALUE - 8;

  /** The arrays as built. */
  @SuppressWarnings("ArrayRecordComponent") // a carrier of arrays, never compared
  record Built(short[] datasetIndex, int[] datasetSampleIndex) {
    BlendIndex index() {
      return new BlendIndex(IndexArray.of(datasetIndex), IndexArray.of(datasetSampleIndex));
    }
  }

  /** Divides each weight by their sum. */
  static double[] normalize(double[] weights) {
    double sum = sum(weights, 0, weights.length);
    double[] normalized = new double[weights.length];
    for (int i = 0; i < weights.length; i++) {
      normalized[i] = weights[i] / sum;
    }
    return normalized;
  }

  /** numpy's sum, which adds pairwise, not from left to right, from 8 elements on. */
  private static double sum(double[] a, int from, int count) {
    if (count < 8) {
      double sum = 0;
      for (int i = 0; i < count; i++) {
        sum += a[from + i];
      }
      return sum;
    }
    if (count <= 128) {
      double[] r = Arrays.copyOfRange(a, from, from + 8);
      int i = 8;
      for (; i + 8 <= count; i += 8) {
        for (int k = 0; k < 8; k++) {
          r[k] += a[from + i + k];
        }
      }
      double sum = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
      for (; i < count; i++) {
        sum += a[from + i];
      }
      return sum;
    }
    int half = count / 2;
    half -= half % 8;
    return sum(a, from, half) + sum(a, from + half, count - half);
  }

  /** Deals {@code size} samples by weights that add up to 1. */
  static Built build(double[] weights, long size) {
    int count = requireBuildable(weights.length, size);
    short[] datasets = new short[count];
    int[] samples = new int[count];
    double[] counts = new double[weights.length];
    for (int k = 0; k < count; k++) {
      int next = furthestBehind(weights, counts, Math.max(k, 1));
      datasets[k] = (short) next;
      samples[k] = (int) counts[next];
      counts[next]++;
    }
    return new Built(datasets, samples);
  }

  /** Counts are whole numbers below 2^53, so doubles hold them exactly. */
  static int furthestBehind(double[] weights, double[] counts, double k) {
    int best = 0;
    double bestError = weights[0] * k - counts[0];
    for (int i = 1; i < weights.length; i++) {
      double error = weights[i] * k - counts[i];
      if (error > bestError) {
        bestError = error;
        best = i;
      }
    }
    return best;
  }

  /** Deals every sample of datasets of these sizes. */
  static Built buildExhaustive(long[] sizes) {
    long total = Arrays.stream(sizes).sum();
    int count = requireBuildable(sizes.length, total);
    int[] active = new int[sizes.length];
    double[] weights = new double[sizes.length];
    double[] counts = new double[sizes.length];
    int activeCount = 0;
    for (int i = 0; i < sizes.length; i++) {
      if (sizes[i] > 0) {
        active[activeCount] = i;
        weights[activeCount++] = (double) sizes[i] / (double) total;
      }
    }
    short[] datasets = new short[count];
    int[] samples = new int[count];
    for (int k = 0; k < count; k++) {
      double q = Math.max(k, 1);
      int best = 0;
      double bestError = weights[0] * q - counts[0];
      for (int i = 1; i < activeCount; i++) {
        double error = weights[i] * q - counts[i];
        if (error > bestError) {
          bestError = error;
          best = i;
        }
      }
      datasets[k] = (short) active[best];
      samples[k] = (int) counts[best];
      counts[best]++;
      if (counts[best] == sizes[active[best]]) {
        int behind = --activeCount - best;
        System.arraycopy(active, best + 1, active, best, behind);
        System.arraycopy(weights, best + 1, weights, best, behind);
        System.arraycopy(counts, best + 1, counts, best, behind);
      }
    }
    return new Built(datasets, samples);
  }

  private static int requireBuildable(int datasets, long size) {
    if (datasets > MAX_DATASETS) {
      throw new IllegalArgumentException(
          "a blend of " + datasets + " datasets; Megatron's index holds " + MAX_DATASETS);
    }
    if (size > ARRAY_LIMIT) {
      throw new IllegalArgumentException(
          "a blend of " + size + " samples is more than the 2^31 that can be built here");
    }
    return (int) size;
  }

  /** How many of the first {@code end} samples come from each dataset. */
  long[] counts(int datasets, long end) {
    long[] counts = new long[datasets];
    for (long k = 0; k < end; k++) {
      counts[(int) datasetIndex.get(k)]++;
    }
    return counts;
  }
}
