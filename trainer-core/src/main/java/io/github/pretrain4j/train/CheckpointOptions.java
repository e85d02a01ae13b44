package io.github.pretrain4j.train;

import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** What is loaded and what is saved. */
public record CheckpointOptions(
    @JsonPropertyDescription("where checkpoints go") @Nullable Path save,
    @JsonPropertyDescription("iterations between checkpoints; required with save")
        @Nullable Integer saveInterval,
    @JsonPropertyDescription("leave optimizer state out of checkpoints") boolean noSaveOptim,
    @JsonPropertyDescription("leave random state out of checkpoints") boolean noSaveRng,
    @JsonPropertyDescription("checkpoint to continue from; the same directory as save resumes")
        @Nullable Path load,
    @JsonPropertyDescription("iteration to load instead of the latest") @Nullable Integer ckptStep,
    @JsonPropertyDescription("load weights only and start at iteration 0") boolean finetune,
    @JsonPropertyDescription("weights to start from when load has no checkpoint yet")
        @Nullable Path pretrainedCheckpoint,
    @JsonPropertyDescription("do not load optimizer state") boolean noLoadOptim,
    @JsonPropertyDescription("do not load random state") boolean noLoadRng,
    @JsonPropertyDescription("stop if load has no checkpoint") boolean exitOnMissingCheckpoint) {

  /** Whether an interrupted run goes on by starting it again, and its first start finds nothing. */
  boolean loadsWhereItSaves() {
    return load != null
        && save != null
        && load.toAbsolutePath().normalize().equals(save.toAbsolutePath().normalize());
  }

  void check(Faults faults) {
    faults.unless((save == null) == (saveInterval == null), "save and save_interval go together");
    faults.unlessPositive("save_interval", saveInterval);
    faults.unless(ckptStep == null || load != null, "ckpt_step needs load");
    faults.unless(
        !finetune || load != null || pretrainedCheckpoint != null,
        "finetune needs load or pretrained_checkpoint");
    faults.unless(
        !exitOnMissingCheckpoint || load != null, "exit_on_missing_checkpoint needs load");
  }
}
