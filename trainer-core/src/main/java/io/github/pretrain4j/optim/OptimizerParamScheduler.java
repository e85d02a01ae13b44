package io.github.pretrain4j.optim;

/**
 * Learning rate and weight decay as functions of the samples consumed, as Megatron's class of the
 * same name.
 *
 * <p>Warm-up is linear from {@code initLr} to {@code maxLr}; then, with {@code q} the part of the
 * decay that has passed, {@code lr = minLr + c(q) (maxLr - minLr)}. The arithmetic is Megatron's,
 * operation by operation, in double. The value used by an iteration is the one before the
 * iteration's samples are added; the value Megatron prints is the one after.
 *
 * <p>Holds one number, the samples accounted so far. Not thread-safe.
 */
public final class OptimizerParamScheduler {
  private final ScheduleConfig config;
  private long numSteps;

  public OptimizerParamScheduler(ScheduleConfig config) {
    this.config = config;
  }

  public ScheduleConfig config() {
    return config;
  }

  /** Samples accounted so far. */
  public long numSteps() {
    return numSteps;
  }

  /** Accounts for the samples of one successful iteration. */
  public void step(long samples) {
    if (samples < 0) {
      throw new IllegalArgumentException("step of " + samples + " samples");
    }
    numSteps = Math.addExact(numSteps, samples);
  }

  /** Learning rate at the present number of samples. */
  public double learningRate() {
    ScheduleConfig c = config;
    if (c.lrWarmupSteps() > 0 && numSteps <= c.lrWarmupSteps()) {
      return c.initLr() + (c.maxLr() - c.initLr()) * numSteps / c.lrWarmupSteps();
    }
    if (c.lrDecayStyle() == LearningRateDecay.CONSTANT) {
      return c.maxLr();
    }
    if (numSteps > c.lrDecaySteps()) {
      return c.minLr();
    }
    if (c.lrDecayStyle() == LearningRateDecay.INVERSE_SQUARE_ROOT) {
      double warmup = Math.max(c.lrWarmupSteps(), 1);
      double rate = c.maxLr() * Math.sqrt(warmup) / Math.sqrt((double) Math.max(numSteps, 1));
      return Math.max(c.minLr(), rate);
    }
    return c.minLr() + coefficient() * (c.maxLr() - c.minLr());
  }

  private double coefficient() {
    double passed =
        (numSteps - config.lrWarmupSteps()) / (config.lrDecaySteps() - config.lrWarmupSteps());
    return switch (config.lrDecayStyle()) {
      case LINEAR -> 1.0 - passed;
      case COSINE -> 0.5 * (StrictMath.cos(Math.PI * passed) + 1.0);
      case WARMUP_STABLE_DECAY -> {
        long stable = config.lrDecaySteps() - config.wsdDecaySteps();
        yield numSteps <= stable
            ? 1.0
            : config
                .lrWsdDecayStyle()
                .coefficient((double) (numSteps - stable) / config.wsdDecaySteps());
      }
      case CONSTANT, INVERSE_SQUARE_ROOT -> throw new IllegalStateException("handled before");
    };
  }

  /** Weight decay at the present number of samples, for a parameter group whose multiplier is 1. */
  public double weightDecay() {
    if (numSteps > config.wdIncrSteps() || config.wdIncrStyle() == WeightDecayIncrease.CONSTANT) {
      return config.endWd();
    }
    double ratio = (double) numSteps / config.wdIncrSteps();
    double coefficient =
        switch (config.wdIncrStyle()) {
          case LINEAR -> ratio;
          case COSINE -> 0.5 * (StrictMath.cos(Math.PI * (1.0 - ratio)) + 1.0);
          case CONSTANT -> throw new IllegalStateException("handled before");
        };
    return config.startWd() + coefficient * (config.endWd() - config.startWd());
  }
}
