package io.github.pretrain4j.optim;

/**
 * The shape of a learning-rate and weight-decay schedule; every length is in samples.
 *
 * <p>{@code lrWarmupSteps} is a {@code double} because Megatron computes a warm-up fraction without
 * rounding it. The names are those of Megatron's checkpoints, where "steps" means samples.
 *
 * @param initLr learning rate at the first sample of the warm-up
 * @param maxLr learning rate at the end of the warm-up
 * @param minLr learning rate after the decay
 * @param wsdDecaySteps length of the last stretch of a WSD schedule; 0 for the other styles
 */
public record ScheduleConfig(
    double initLr,
    double maxLr,
    double minLr,
    double lrWarmupSteps,
    long lrDecaySteps,
    LearningRateDecay lrDecayStyle,
    double startWd,
    double endWd,
    long wdIncrSteps,
    WeightDecayIncrease wdIncrStyle,
    long wsdDecaySteps,
    AnnealingStyle lrWsdDecayStyle) {

  public ScheduleConfig {
    require(minLr >= 0, "min_lr is " + minLr + "; it must not be negative");
    require(maxLr >= minLr, "lr is " + maxLr + ", below min_lr " + minLr);
    require(initLr >= 0, "lr_warmup_init is " + initLr + "; it must not be negative");
    require(initLr <= maxLr, "lr_warmup_init is " + initLr + ", above lr " + maxLr);
    require(
        lrDecaySteps > 0,
        "the learning rate decays over " + lrDecaySteps + " samples; it must be positive");
    require(
        lrWarmupSteps >= 0,
        "the warm-up takes " + lrWarmupSteps + " samples; it must not be negative");
    require(
        lrWarmupSteps < lrDecaySteps,
        "the warm-up takes "
            + lrWarmupSteps
            + " samples, not less than the decay's "
            + lrDecaySteps);
    require(startWd >= 0, "start_weight_decay is " + startWd + "; it must not be negative");
    require(
        endWd >= startWd, "end_weight_decay is " + endWd + ", below start_weight_decay " + startWd);
    require(
        lrDecayStyle != LearningRateDecay.WARMUP_STABLE_DECAY || wsdDecaySteps > 0,
        "lr_decay_style WSD needs lr_wsd_decay_iters");
    require(
        0 <= wsdDecaySteps && wsdDecaySteps <= lrDecaySteps,
        "the last stretch of WSD takes "
            + wsdDecaySteps
            + " samples, more than the decay's "
            + lrDecaySteps
            + " or less than none");
  }

  private static void require(boolean holds, String message) {
    if (!holds) {
      throw new IllegalArgumentException(message);
    }
  }
}
