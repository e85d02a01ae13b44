package io.github.pretrain4j.dataset.gpt;

import java.util.Arrays;
import java.util.List;

/**
 * One training sample. Every array has S = {@code seqLength} entries and belongs to the caller.
 *
 * @param tokens the input ids
 * @param labels the id to predict at each position: the input shifted by one
 * @param lossMask 1 where the prediction counts, 0 after an eod (if so configured) and at padding
 * @param positionIds 0, 1, 2 ..., restarting after each eod, or in each sequence, if so configured
 * @param attentionStarts the first column that each row may attend to: row {@code i} sees columns
 *     {@code attentionStarts[i]} to {@code i}. All 0 unless attention is reset at each eod, or the
 *     sequences in a sample are hidden from each other
 */
@SuppressWarnings("ArrayRecordComponent") // plain carriers of numbers, never compared
public record GptSample(
    int[] tokens, int[] labels, float[] lossMask, int[] positionIds, int[] attentionStarts) {
  /** Checks that all arrays have one length. */
  public GptSample {
    int length = tokens.length;
    if (labels.length != length
        || lossMask.length != length
        || positionIds.length != length
        || attentionStarts.length != length) {
      throw new IllegalArgumentException("the arrays of a sample differ in length");
    }
  }

  /**
   * The document mask as ranges: where the runs of positions that see each other begin, and S.
   * Attention is causal inside each run and nowhere else.
   */
  public int[] cuSeqlens() {
    int length = attentionStarts.length;
    int[] bounds = new int[length + 1];
    int count = 0;
    for (int i = 0; i < length; i++) {
      if (i == 0 || attentionStarts[i] != attentionStarts[i - 1]) {
        bounds[count++] = attentionStarts[i];
      }
    }
    bounds[count++] = length;
    return Arrays.copyOf(bounds, count);
  }

  /**
   * {@link #cuSeqlens} of several samples laid end to end: one leading 0, then the end of each run.
   */
  public static int[] cuSeqlens(List<GptSample> samples) {
    int total = 0;
    for (GptSample sample : samples) {
      total = Math.addExact(total, sample.tokens.length);
    }
    int[] bounds = new int[total + 1];
    int count = 1;
    int offset = 0;
    for (GptSample sample : samples) {
      int[] own = sample.cuSeqlens();
      for (int i = 1; i < own.length; i++) {
        bounds[count++] = offset + own[i];
      }
      offset += sample.tokens.length;
    }
    return Arrays.copyOf(bounds, count);
  }

  /** The longest run of {@link #cuSeqlens}. */
  public int maxSeqlen() {
    int longest = 0;
    for (int i = 0; i < attentionStarts.length; i++) {
      longest = Math.max(longest, i + 1 - attentionStarts[i]);
    }
    return longest;
  }
}
