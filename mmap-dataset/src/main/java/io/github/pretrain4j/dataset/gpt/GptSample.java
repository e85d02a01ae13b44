package io.github.pretrain4j.dataset.gpt;

/**
 * One training sample. Every array has S = {@code seqLength} entries and belongs to the caller.
 *
 * @param tokens the input ids
 * @param labels the id to predict at each position: the input shifted by one
 * @param lossMask 1 where the prediction counts, 0 after an eod (if so configured) and at padding
 * @param positionIds 0, 1, 2 ..., restarting after each eod if so configured
 * @param attentionStarts the first column that each row may attend to: row {@code i} sees columns
 *     {@code attentionStarts[i]} to {@code i}. All 0 unless attention is reset at each eod
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
}
