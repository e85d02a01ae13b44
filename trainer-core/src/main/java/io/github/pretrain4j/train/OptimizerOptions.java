package io.github.pretrain4j.train;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import io.github.pretrain4j.optim.AnnealingStyle;
import io.github.pretrain4j.optim.LearningRateDecay;
import io.github.pretrain4j.optim.ScheduleConfig;
import io.github.pretrain4j.optim.WeightDecayIncrease;
import org.jspecify.annotations.Nullable;

/** AdamW, clipping and the schedules of learning rate and weight decay. */
public record OptimizerOptions(
    @JsonProperty(defaultValue = "adam") @JsonPropertyDescription("must be adam") String optimizer,
    @JsonPropertyDescription("highest learning rate") double lr,
    @JsonProperty(defaultValue = "0.0") @JsonPropertyDescription("lowest learning rate")
        double minLr,
    @JsonProperty(defaultValue = "linear")
        @JsonPropertyDescription("constant, linear, cosine, inverse-square-root or WSD")
        String lrDecayStyle,
    @JsonPropertyDescription("iterations of warm-up and decay; default train_iters")
        @Nullable Integer lrDecayIters,
    @JsonPropertyDescription("samples of warm-up and decay; default train_samples")
        @Nullable Long lrDecaySamples,
    @JsonProperty(defaultValue = "0") @JsonPropertyDescription("iterations of warm-up")
        int lrWarmupIters,
    @JsonProperty(defaultValue = "0") @JsonPropertyDescription("samples of warm-up")
        long lrWarmupSamples,
    @JsonPropertyDescription("warm-up as a fraction of the decay")
        @Nullable Double lrWarmupFraction,
    @JsonProperty(defaultValue = "0.0")
        @JsonPropertyDescription("learning rate the warm-up starts from")
        double lrWarmupInit,
    @JsonPropertyDescription("iterations of the last stretch of WSD")
        @Nullable Integer lrWsdDecayIters,
    @JsonPropertyDescription("samples of the last stretch of WSD") @Nullable Long lrWsdDecaySamples,
    @JsonProperty(defaultValue = "exponential")
        @JsonPropertyDescription("exponential, linear, cosine or minus_sqrt")
        String lrWsdDecayStyle,
    @JsonProperty(defaultValue = "0.01") @JsonPropertyDescription("weight decay")
        double weightDecay,
    @JsonPropertyDescription("weight decay at the start, if it changes")
        @Nullable Double startWeightDecay,
    @JsonPropertyDescription("weight decay at the end, if it changes")
        @Nullable Double endWeightDecay,
    @JsonProperty(defaultValue = "constant") @JsonPropertyDescription("constant, linear or cosine")
        String weightDecayIncrStyle,
    @JsonProperty(defaultValue = "0.9") @JsonPropertyDescription("decay of the first moment")
        double adamBeta1,
    @JsonProperty(defaultValue = "0.999") @JsonPropertyDescription("decay of the second moment")
        double adamBeta2,
    @JsonProperty(defaultValue = "1e-8") @JsonPropertyDescription("epsilon of Adam") double adamEps,
    @JsonProperty(defaultValue = "1.0")
        @JsonPropertyDescription("largest gradient norm; 0 turns clipping off")
        double clipGrad,
    @JsonPropertyDescription("on resume the schedule's values come from here")
        boolean overrideOptParamScheduler,
    @JsonPropertyDescription("on resume the schedule's values come from the checkpoint")
        boolean useCheckpointOptParamScheduler,
    @JsonPropertyDescription("go on when a loss or a gradient norm is not a number")
        boolean noCheckForNanInLossAndGrad) {

  void check(Faults faults, boolean sampleBased) {
    if (sampleBased) {
      faults.unless(
          lrDecayIters == null && lrWarmupIters == 0 && lrWsdDecayIters == null,
          "lr_decay_iters, lr_warmup_iters and lr_wsd_decay_iters need train_iters");
    } else {
      faults.unless(
          lrDecaySamples == null && lrWarmupSamples == 0 && lrWsdDecaySamples == null,
          "lr_decay_samples, lr_warmup_samples and lr_wsd_decay_samples need train_samples");
    }
    faults.unless(
        lrWarmupFraction == null || (lrWarmupIters == 0 && lrWarmupSamples == 0),
        "lr_warmup_fraction excludes lr_warmup_iters and lr_warmup_samples");
    faults.unless(optimizer.equals("adam"), "optimizer must be adam, is " + optimizer);
    faults.unless(lr > 0, "lr must be given and positive, is " + lr);
    faults.unless(
        (startWeightDecay == null) == (endWeightDecay == null),
        "start_weight_decay and end_weight_decay go together");
    faults.unless(
        startWeightDecay != null || weightDecayIncrStyle.equals("constant"),
        "weight_decay_incr_style "
            + weightDecayIncrStyle
            + " needs start_weight_decay and end_weight_decay");
    faults.unless(0 <= adamBeta1 && adamBeta1 < 1, "adam_beta1 must be in [0, 1), is " + adamBeta1);
    faults.unless(0 <= adamBeta2 && adamBeta2 < 1, "adam_beta2 must be in [0, 1), is " + adamBeta2);
    faults.unless(adamEps > 0, "adam_eps must be positive, is " + adamEps);
    faults.unless(clipGrad >= 0, "clip_grad must not be negative, is " + clipGrad);
    faults.unless(
        !(overrideOptParamScheduler && useCheckpointOptParamScheduler),
        "override_opt_param_scheduler excludes use_checkpoint_opt_param_scheduler");
  }

  /**
   * The schedule in samples: lengths in iterations are multiplied by the global batch size, as
   * Megatron does.
   *
   * @param trainSamples samples of the whole training
   */
  ScheduleConfig schedule(long trainSamples, int globalBatchSize) {
    long batch = globalBatchSize;
    long decay =
        lrDecaySamples != null
            ? lrDecaySamples
            : lrDecayIters != null ? lrDecayIters * batch : trainSamples;
    double warmup =
        lrWarmupFraction != null
            ? lrWarmupFraction * decay
            : (double) (lrWarmupSamples + lrWarmupIters * batch);
    long wsdDecay =
        lrWsdDecaySamples != null
            ? lrWsdDecaySamples
            : lrWsdDecayIters != null ? lrWsdDecayIters * batch : 0;
    return new ScheduleConfig(
        lrWarmupInit,
        lr,
        minLr,
        warmup,
        decay,
        LearningRateDecay.of(lrDecayStyle),
        startWeightDecay == null ? weightDecay : startWeightDecay,
        endWeightDecay == null ? weightDecay : endWeightDecay,
        trainSamples,
        WeightDecayIncrease.of(weightDecayIncrStyle),
        wsdDecay,
        AnnealingStyle.of(lrWsdDecayStyle));
  }
}
