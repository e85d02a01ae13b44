package io.github.pretrain4j.backend;

/**
 * The scalars of one AdamW update, as Megatron's FusedAdam takes them.
 *
 * @param gradientScale multiplies the gradient first: the clipping coefficient, or 1
 * @param step k, 1 for the first update
 */
public record AdamWStep(
    float learningRate,
    float beta1,
    float beta2,
    float epsilon,
    float weightDecay,
    float gradientScale,
    long step) {
  public AdamWStep {
    if (step < 1) {
      throw new IllegalArgumentException("step: expected at least 1, found " + step);
    }
  }

  /** {@code 1 - beta1^k}. */
  public float biasCorrection1() {
    return (float) (1 - Math.pow(beta1, (double) step));
  }

  /** {@code 1 - beta2^k}. */
  public float biasCorrection2() {
    return (float) (1 - Math.pow(beta2, (double) step));
  }
}
