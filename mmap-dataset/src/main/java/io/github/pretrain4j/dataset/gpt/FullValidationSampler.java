package io.github.pretrain4j.dataset.gpt;

import java.util.Iterator;
import java.util.NoSuchElementException;

/**
 * Megatron's sampler for full validation: every sample once, one at a time, dealt to the ranks by
 * turns. The last ranks may have a sample less; {@link #batchesOfEveryRank} says how many rounds
 * all take part in. Not thread-safe.
 */
public final class FullValidationSampler implements Iterator<long[]> {
  private final long totalSamples;
  private final int dataParallelSize;
  private long next;

  /**
   * A sampler for one rank.
   *
   * @param totalSamples size of the dataset
   * @param dataParallelRank this rank
   * @param dataParallelSize number of ranks
   */
  public FullValidationSampler(long totalSamples, int dataParallelRank, int dataParallelSize) {
    PretrainingSampler.checkRanks(1, dataParallelRank, dataParallelSize);
    if (totalSamples <= 0) {
      throw new IllegalArgumentException("no samples to consume: total " + totalSamples);
    }
    this.totalSamples = totalSamples;
    this.dataParallelSize = dataParallelSize;
    this.next = dataParallelRank;
  }

  @Override
  public boolean hasNext() {
    return next < totalSamples;
  }

  /** The dataset index of this rank's next sample. */
  @Override
  public long[] next() {
    if (!hasNext()) {
      throw new NoSuchElementException("all " + totalSamples + " samples are consumed");
    }
    long[] index = {next};
    next += dataParallelSize;
    return index;
  }

  /** Rounds of an evaluation: the samples of the rank that has most. */
  public long batchesOfEveryRank() {
    return (totalSamples + dataParallelSize - 1) / dataParallelSize;
  }
}
