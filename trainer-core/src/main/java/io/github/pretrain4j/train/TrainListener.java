package io.github.pretrain4j.train;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;

/**
 * Hears what a {@link Trainer} does, on the trainer's thread, in order. Every method may be left
 * out.
 *
 * <p>An exception thrown here stops the training.
 */
public interface TrainListener {

  /** One iteration is done, and what the log interval has seen so far. */
  default void iteration(Iteration report) throws IOException {}

  /** An evaluation is done. */
  default void evaluation(Evaluation report) throws IOException {}

  /** Something happened once: see {@link Milestone}. */
  default void milestone(Milestone milestone) throws IOException {}

  /**
   * One iteration.
   *
   * @param iteration 1 for the first of the whole training
   * @param trainIterations the last iteration of the whole training
   * @param consumedSamples samples of the whole training so far
   * @param loss mean of the micro-batches' losses
   * @param learningRate the one this update used
   * @param nextLearningRate the one after the schedule advanced, which Megatron's log shows
   * @param gradientNorm global norm before clipping
   * @param elapsed wall time without evaluation and saving
   */
  record Iteration(
      long iteration,
      long trainIterations,
      long consumedSamples,
      int globalBatchSize,
      long tokens,
      double loss,
      double learningRate,
      double nextLearningRate,
      double gradientNorm,
      double floatingPointOperations,
      Duration elapsed) {}

  /**
   * One evaluation.
   *
   * @param set what was evaluated: {@value #VALIDATION}, {@value #TEST} or the name of an extra set
   * @param afterTraining whether it is one of those at the end
   * @param loss mean over all micro-batches
   */
  record Evaluation(
      long iteration, String set, boolean afterTraining, double loss, Duration elapsed) {
    public static final String VALIDATION = "validation";
    public static final String TEST = "test";

    /** {@code exp(min(20, loss))}. */
    public double perplexity() {
      return Math.exp(Math.min(20, loss));
    }
  }

  /** What happens once in a while. */
  sealed interface Milestone {
    /** Model, data and optimizer are ready; a line that says what they are. */
    record SetupDone(String description) implements Milestone {}

    /** A checkpoint is about to be loaded. */
    record Loading(Path directory, long iteration) implements Milestone {}

    /**
     * {@code load} has no checkpoint.
     *
     * @param tracker the file that would name one
     * @param random whether the run therefore starts from random weights
     */
    record NoCheckpoint(Path tracker, boolean random) implements Milestone {}

    /** The loop starts. */
    record TrainingStarts(long iteration) implements Milestone {}

    /** A checkpoint is about to be saved. */
    record Saving(Path directory, long iteration) implements Milestone {}

    /** A checkpoint is complete and the tracker points to it. */
    record Saved(Path directory, long iteration, Duration elapsed) implements Milestone {}

    /** The loop ended. */
    record TrainingDone(long iteration) implements Milestone {}

    /** The loop ended before its last iteration, on request. */
    record Exiting(long iteration) implements Milestone {}
  }
}
