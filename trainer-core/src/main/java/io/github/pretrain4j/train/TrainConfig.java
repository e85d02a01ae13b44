package io.github.pretrain4j.train;

import io.github.pretrain4j.optim.ScheduleConfig;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/**
 * Everything a training run is told, under Megatron's option names.
 *
 * <p>The five parts are for reading; outside, the options form one flat list with two spellings: a
 * JSON file with the names in snake case ({@code "micro_batch_size": 2}) and flags in kebab case
 * ({@code --micro-batch-size 2}), where a flag wins over the file. A name that is unknown is an
 * error that suggests the nearest one. What Megatron offers and this version does not carry out is
 * refused, never ignored, save for the options that say how Megatron computes and not what, which
 * {@link #usage} lists as having no effect; where Megatron's own default is something not supported
 * here (dropout 0.1, LayerNorm, learned positions) the option has to be given.
 *
 * <p>The constructor checks every value and every combination and reports all faults in one {@link
 * IllegalArgumentException}. What depends on files (checkpoint, tokenizer, data) is checked by
 * {@link Trainer#create}.
 */
public record TrainConfig(
    ModelOptions model,
    DataOptions data,
    RunOptions run,
    OptimizerOptions optimizer,
    CheckpointOptions checkpoint) {

  public TrainConfig {
    Faults faults = new Faults();
    model.check(faults);
    data.check(faults, model.vocabSize());
    run.check(faults);
    optimizer.check(faults, run.trainSamples() != null);
    checkpoint.check(faults);
    faults.unless(
        model.maxPositionEmbeddings() == null || model.maxPositionEmbeddings() >= data.seqLength(),
        "max_position_embeddings "
            + model.maxPositionEmbeddings()
            + " is less than seq_length "
            + data.seqLength());
    faults.unless(
        (long) run.microBatchSize() * data.seqLength() <= Integer.MAX_VALUE,
        "a micro-batch of micro_batch_size x seq_length is more than 2^31 - 1 tokens");
    faults.unless(
        !model.useCheckpointArgs()
            || checkpoint.load() != null
            || checkpoint.pretrainedCheckpoint() != null,
        "use_checkpoint_args needs load or pretrained_checkpoint");
    if (faults.isEmpty()) {
      try {
        optimizer.schedule(run.samples(), run.batchSize());
      } catch (IllegalArgumentException e) {
        faults.add(String.valueOf(e.getMessage()));
      }
    }
    faults.throwIfAny("training configuration");
  }

  /**
   * Reads flags ({@code --lr 1e-4}, {@code --swiglu}, {@code --data-path=PREFIX}) on top of a JSON
   * file, if {@code --config FILE} is among them, on top of the defaults.
   *
   * @throws IllegalArgumentException for an unknown option, a value of the wrong kind or an invalid
   *     combination
   * @throws IOException if the file cannot be read
   */
  public static TrainConfig parse(String... flags) throws IOException {
    return TrainOptions.parse(flags);
  }

  /** Takes options by their snake-case names; those left out have their defaults. */
  public static TrainConfig of(Map<String, ?> options) {
    return TrainOptions.of(options);
  }

  /** Reads a JSON file of options. */
  public static TrainConfig read(Path file) throws IOException {
    return TrainOptions.read(file);
  }

  /** All options with their present values, as JSON that {@link #read} takes. */
  public String toJson() {
    return TrainOptions.toJson(this);
  }

  /** One line per option, for {@code --help}: flag, meaning, default. */
  public static List<String> usage() {
    return TrainOptions.usage();
  }

  /** The learning-rate and weight-decay schedule these options describe. */
  public ScheduleConfig schedule() {
    return optimizer.schedule(run.samples(), run.batchSize());
  }
}
