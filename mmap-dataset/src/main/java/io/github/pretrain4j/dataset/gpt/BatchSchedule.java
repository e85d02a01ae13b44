package io.github.pretrain4j.dataset.gpt;

import org.jspecify.annotations.Nullable;

/**
 * How many samples each iteration consumes.
 *
 * @param globalBatchSize samples of an iteration once the ramp, if any, is over
 * @param rampup Megatron's {@code --rampup-batch-size}, or null
 */
public record BatchSchedule(int globalBatchSize, @Nullable Rampup rampup) {
  /**
   * Batches that grow by equal steps.
   *
   * @param start size of the first batch
   * @param increment how much a batch is larger than those of the step before
   * @param samples samples of a run, from its very first on, after which the full size is reached
   */
  public record Rampup(int start, int increment, long samples) {
    /** Checks that it goes up. */
    public Rampup {
      if (start < 1 || increment < 1 || samples < 0) {
        throw new IllegalArgumentException(
            "rampup needs a start and an increment of at least 1: "
                + start
                + " "
                + increment
                + " "
                + samples);
      }
    }
  }

  /** Checks that the ramp leads to the full size. */
  public BatchSchedule {
    if (globalBatchSize < 1) {
      throw new IllegalArgumentException("globalBatchSize must be positive: " + globalBatchSize);
    }
    if (rampup != null
        && (rampup.start() > globalBatchSize
            || (globalBatchSize - rampup.start()) % rampup.increment() != 0)) {
      throw new IllegalArgumentException(
          "no whole number of increments of "
              + rampup.increment()
              + " from "
              + rampup.start()
              + " to "
              + globalBatchSize);
    }
  }

  /** The same batch size for every iteration. */
  public static BatchSchedule constant(int globalBatchSize) {
    return new BatchSchedule(globalBatchSize, null);
  }

  /** Samples of the iteration that begins after so many samples of the run. */
  int batchAfter(long consumedSamples) {
    if (rampup == null || isFull(consumedSamples)) {
      return globalBatchSize;
    }
    int increments = (globalBatchSize - rampup.start()) / rampup.increment();
    // As Megatron does it: a quotient of floating-point numbers, cut to an integer.
    int steps = (int) (consumedSamples / ((double) rampup.samples() / increments));
    return Math.min(globalBatchSize, rampup.start() + steps * rampup.increment());
  }

  private boolean isFull(long consumedSamples) {
    return rampup == null
        || consumedSamples > rampup.samples()
        || rampup.samples() == 0
        || rampup.start() == globalBatchSize;
  }

  /** Samples consumed after some iterations more. */
  long samplesAfter(long consumedSamples, long iterations) {
    long consumed = consumedSamples;
    long left = iterations;
    while (left > 0 && !isFull(consumed)) {
      consumed += batchAfter(consumed);
      left--;
    }
    return Math.addExact(consumed, Math.multiplyExact(left, (long) globalBatchSize));
  }
}
