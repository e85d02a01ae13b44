package io.github.pretrain4j.dataset.gpt;

import java.util.Iterator;
import java.util.NoSuchElementException;

/**
 * Megatron's sequential sampler ({@code MegatronPretrainingSampler}): which dataset indices each
 * micro-batch of one data-parallel rank has.
 *
 * <p>Indices run from {@code consumedSamples} to the end of the dataset in order; every {@code
 * microBatchSize * dataParallelSize} of them are dealt to the ranks in rank order. An incomplete
 * tail is dropped, unless asked for. The order of samples is random already: it comes from the
 * dataset's shuffle index. To resume, pass the number of samples consumed by all ranks together.
 * Not thread-safe.
 */
public final class PretrainingSampler implements Iterator<long[]> {
  private final long totalSamples;
  private final int microBatchSize;
  private final int dataParallelRank;
  private final long samplesPerStep;
  private final boolean dropLast;
  private long next;

  /**
   * A sampler for one rank.
   *
   * @param totalSamples size of the dataset
   * @param consumedSamples samples that all ranks together have had before; less than the total
   * @param microBatchSize indices in each batch
   * @param dataParallelRank this rank
   * @param dataParallelSize number of ranks
   */
  public PretrainingSampler(
      long totalSamples,
      long consumedSamples,
      int microBatchSize,
      int dataParallelRank,
      int dataParallelSize) {
    this(totalSamples, consumedSamples, microBatchSize, dataParallelRank, dataParallelSize, true);
  }

  /**
   * A sampler for one rank.
   *
   * @param totalSamples size of the dataset
   * @param consumedSamples samples that all ranks together have had before; less than the total
   * @param microBatchSize indices in each batch
   * @param dataParallelRank this rank
   * @param dataParallelSize number of ranks
   * @param dropLast whether to drop an incomplete tail. If not, its samples are dealt as far as
   *     they go: the last batch of a rank may be short or empty, but every rank has one
   */
  public PretrainingSampler(
      long totalSamples,
      long consumedSamples,
      int microBatchSize,
      int dataParallelRank,
      int dataParallelSize,
      boolean dropLast) {
    if (totalSamples <= 0) {
      throw new IllegalArgumentException("no samples to consume: total " + totalSamples);
    }
    if (consumedSamples < 0 || consumedSamples >= totalSamples) {
      throw new IllegalArgumentException(
          "no samples left to consume: " + consumedSamples + " of " + totalSamples);
    }
    checkRanks(microBatchSize, dataParallelRank, dataParallelSize);
    this.totalSamples = totalSamples;
    this.microBatchSize = microBatchSize;
    this.dataParallelRank = dataParallelRank;
    this.samplesPerStep = (long) microBatchSize * dataParallelSize;
    this.dropLast = dropLast;
    this.next = consumedSamples;
  }

  /** Checks what all samplers are given. */
  static void checkRanks(int microBatchSize, int dataParallelRank, int dataParallelSize) {
    if (microBatchSize <= 0) {
      throw new IllegalArgumentException("microBatchSize must be positive: " + microBatchSize);
    }
    if (dataParallelRank < 0 || dataParallelRank >= dataParallelSize) {
      throw new IllegalArgumentException(
          "dataParallelRank must be in 0.." + (dataParallelSize - 1) + ": " + dataParallelRank);
    }
  }

  @Override
  public boolean hasNext() {
    long left = totalSamples - next;
    return dropLast ? samplesPerStep <= left : left > 0;
  }

  /** The dataset indices of this rank's next micro-batch. */
  @Override
  public long[] next() {
    if (!hasNext()) {
      throw new NoSuchElementException("all " + totalSamples + " samples are consumed");
    }
    long first = next + (long) dataParallelRank * microBatchSize;
    long[] indices = new long[(int) Math.max(0, Math.min(microBatchSize, totalSamples - first))];
    for (int i = 0; i < indices.length; i++) {
      indices[i] = first + i;
    }
    next = Math.min(totalSamples, next + samplesPerStep);
    return indices;
  }

  /** Samples consumed by all ranks up to and including the last batch returned. */
  public long consumedSamples() {
    return next;
  }
}
