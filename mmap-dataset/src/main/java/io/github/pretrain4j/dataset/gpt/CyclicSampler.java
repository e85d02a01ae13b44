package io.github.pretrain4j.dataset.gpt;

import java.util.Iterator;

/**
 * Megatron's random sampler ({@code --dataloader-type cyclic}): epoch after epoch over a dataset,
 * in another order each time. Never ends. Not thread-safe.
 *
 * <p>The order depends on the number of the epoch only, not on a seed. An epoch has as many samples
 * as make whole global micro-batches. With {@code dataSharding} each rank has a part of the dataset
 * for itself; without, the ranks take samples by turns.
 *
 * <p>Without sharding, Megatron gives some ranks one batch more than others at the end of an epoch
 * whose samples make no whole number of global micro-batches; the ranks then count differently and
 * read different epochs from there on. Here that incomplete last batch is dropped for all, which is
 * what Megatron's own count of an epoch supposes; every batch before it is Megatron's.
 */
public final class CyclicSampler implements Iterator<long[]> {
  private final long totalSamples;
  private final int microBatchSize;
  private final int dataParallelRank;
  private final int dataParallelSize;
  private final boolean dataSharding;
  private final long samplesPerStep;
  private final long epochSamples;
  private long consumed;
  private long orderedEpoch = -1;
  private int[] order = {};

  /**
   * A sampler for one rank.
   *
   * @param totalSamples size of the dataset, below 2^31
   * @param consumedSamples samples that all ranks together have had before: whole batches
   * @param microBatchSize indices in each batch
   * @param dataParallelRank this rank
   * @param dataParallelSize number of ranks
   * @param dataSharding whether each rank has a part of the dataset for itself
   */
  public CyclicSampler(
      long totalSamples,
      long consumedSamples,
      int microBatchSize,
      int dataParallelRank,
      int dataParallelSize,
      boolean dataSharding) {
    PretrainingSampler.checkRanks(microBatchSize, dataParallelRank, dataParallelSize);
    this.samplesPerStep = (long) microBatchSize * dataParallelSize;
    this.epochSamples = totalSamples - Math.floorMod(totalSamples, samplesPerStep);
    if (epochSamples <= 0 || totalSamples > Integer.MAX_VALUE - 8) {
      throw new IllegalArgumentException(
          totalSamples + " samples: at least " + samplesPerStep + " and below 2^31 are needed");
    }
    if (consumedSamples < 0 || consumedSamples % epochSamples % samplesPerStep != 0) {
      throw new IllegalArgumentException(
          consumedSamples
              + " consumed samples are no whole number of batches of "
              + samplesPerStep);
    }
    this.totalSamples = totalSamples;
    this.microBatchSize = microBatchSize;
    this.dataParallelRank = dataParallelRank;
    this.dataParallelSize = dataParallelSize;
    this.dataSharding = dataSharding;
    this.consumed = consumedSamples;
  }

  /** There is always another epoch. */
  @Override
  public boolean hasNext() {
    return true;
  }

  /** The dataset indices of this rank's next micro-batch. */
  @Override
  public long[] next() {
    long epoch = consumed / epochSamples;
    long inEpoch = consumed % epochSamples;
    if (epoch != orderedEpoch) {
      long ordered =
          dataSharding
              ? totalSamples / samplesPerStep * microBatchSize
              : totalSamples / microBatchSize * microBatchSize;
      order = TorchRandom.permutation((int) ordered, epoch);
      orderedEpoch = epoch;
    }
    long[] indices = new long[microBatchSize];
    for (int i = 0; i < microBatchSize; i++) {
      if (dataSharding) {
        long shard = (long) dataParallelRank * order.length;
        indices[i] = shard + order[(int) (inEpoch / dataParallelSize) + i];
      } else {
        indices[i] = order[(int) (inEpoch + (long) i * dataParallelSize) + dataParallelRank];
      }
    }
    consumed += samplesPerStep;
    return indices;
  }

  /** Samples consumed by all ranks up to and including the last batch returned. */
  public long consumedSamples() {
    return consumed;
  }
}
