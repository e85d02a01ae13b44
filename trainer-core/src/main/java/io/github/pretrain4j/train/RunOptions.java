package io.github.pretrain4j.train;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import java.nio.file.Path;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** How long to train, in which batches, when to log, evaluate and stop, and on what. */
public record RunOptions(
    @JsonPropertyDescription("samples computed at once") int microBatchSize,
    @JsonPropertyDescription("samples of one iteration; default micro_batch_size")
        @Nullable Integer globalBatchSize,
    @JsonPropertyDescription("iterations over all runs of this training")
        @Nullable Integer trainIters,
    @JsonPropertyDescription("samples over all runs; instead of train_iters")
        @Nullable Long trainSamples,
    @JsonProperty(defaultValue = "1234")
        @JsonPropertyDescription("seed of initial weights and data order")
        int seed,
    @JsonProperty(defaultValue = "100") @JsonPropertyDescription("iterations between log lines")
        int logInterval,
    @JsonPropertyDescription("log TFLOP/s") boolean logThroughput,
    @JsonPropertyDescription("JSON Lines file of losses, learning rate, gradient norm and tokens/s")
        @Nullable Path metricsFile,
    @JsonProperty(defaultValue = "1000") @JsonPropertyDescription("iterations between evaluations")
        int evalInterval,
    @JsonProperty(defaultValue = "100")
        @JsonPropertyDescription("global batches of one evaluation; 0 turns it off")
        int evalIters,
    @JsonPropertyDescription("evaluate only") boolean skipTrain,
    @JsonPropertyDescription("save and stop after an iteration that is a multiple of this")
        @Nullable Integer exitInterval,
    @JsonPropertyDescription("save and stop after this many minutes")
        @Nullable Double exitDurationInMins,
    @JsonProperty(defaultValue = "auto")
        @JsonPropertyDescription("compute backend: auto, cpu or java")
        String backend,
    @JsonPropertyDescription(
            "threads that compute; default: all processors; results do not depend on it")
        @Nullable Integer threads,
    @JsonProperty(defaultValue = "1") @JsonPropertyDescription("must be 1")
        int tensorModelParallelSize,
    @JsonProperty(defaultValue = "1") @JsonPropertyDescription("must be 1")
        int pipelineModelParallelSize) {

  /** Samples of one iteration. */
  int batchSize() {
    return globalBatchSize == null ? microBatchSize : globalBatchSize;
  }

  /** Micro-batches of one iteration. */
  int microBatches() {
    return batchSize() / microBatchSize;
  }

  /** Iterations over all runs of this training. */
  int iterations() {
    return trainIters != null ? trainIters : Math.toIntExact(samples() / batchSize());
  }

  /** Samples over all runs of this training. */
  long samples() {
    return trainIters != null
        ? (long) trainIters * batchSize()
        : Objects.requireNonNull(trainSamples, "train_samples");
  }

  void check(Faults faults) {
    faults.unlessPositive("micro_batch_size", microBatchSize);
    faults.unlessPositive("global_batch_size", globalBatchSize);
    faults.unless(
        globalBatchSize == null || microBatchSize < 1 || globalBatchSize % microBatchSize == 0,
        "global_batch_size "
            + globalBatchSize
            + " is not a multiple of micro_batch_size "
            + microBatchSize);
    faults.unless(
        (trainIters == null) != (trainSamples == null),
        "exactly one of train_iters and train_samples must be given");
    faults.unlessPositive("train_iters", trainIters);
    faults.unlessPositive("train_samples", trainSamples);
    faults.unlessPositive("seed", seed);
    if (trainSamples != null && trainSamples > 0 && batchSize() > 0) {
      faults.unless(
          trainSamples >= batchSize(),
          "train_samples " + trainSamples + " is less than one batch of " + batchSize());
      faults.unless(
          trainSamples / batchSize() <= Integer.MAX_VALUE,
          "train_samples " + trainSamples + " is more than 2^31 - 1 iterations");
    }
    faults.unless(
        (long) evalIters * batchSize() <= Integer.MAX_VALUE,
        "eval_iters "
            + evalIters
            + " of "
            + batchSize()
            + " samples are more than 2^31 - 1 samples");
    faults.unlessPositive("log_interval", logInterval);
    faults.unlessPositive("eval_interval", evalInterval);
    faults.unless(evalIters >= 0, "eval_iters must not be negative, is " + evalIters);
    faults.unlessPositive("exit_interval", exitInterval);
    faults.unless(
        exitDurationInMins == null || exitDurationInMins > 0,
        "exit_duration_in_mins must be positive, is " + exitDurationInMins);
    faults.unlessPositive("threads", threads);
    faults.unless(
        tensorModelParallelSize == 1,
        "tensor_model_parallel_size must be 1 (parallel training is not supported yet), is "
            + tensorModelParallelSize);
    faults.unless(
        pipelineModelParallelSize == 1,
        "pipeline_model_parallel_size must be 1 (parallel training is not supported yet), is "
            + pipelineModelParallelSize);
  }
}
