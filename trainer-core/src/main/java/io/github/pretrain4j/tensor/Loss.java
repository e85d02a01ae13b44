package io.github.pretrain4j.tensor;

/**
 * The cross-entropy of a micro-batch.
 *
 * @param sum of masked per-token losses, {@code sum(mask * loss)}
 * @param weight {@code sum(mask)}, the tokens that count
 * @param perToken loss of each of the [B, T] tokens before the mask's weight; 0 where the mask is 0
 */
@SuppressWarnings("ArrayRecordComponent") // a result handed over once; never compared
public record Loss(double sum, double weight, float[] perToken) {

  /** Mean over the tokens that count; 0 if none does. */
  public double mean() {
    return weight == 0 ? 0 : sum / weight;
  }
}
