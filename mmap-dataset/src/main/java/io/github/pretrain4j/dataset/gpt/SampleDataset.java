package io.github.pretrain4j.dataset.gpt;

import java.io.IOException;

/**
 * Samples for GPT training in a fixed order: those of one dataset ({@link GptDataset}), of a blend
 * ({@link BlendedDataset}), or of a run that may change its blend ({@link TrainingData}).
 * Thread-safe.
 */
public sealed interface SampleDataset extends AutoCloseable
    permits GptDataset, BlendedDataset, TrainingData {
  /** Number of samples. */
  long size();

  /**
   * The sample at a place in the order.
   *
   * @param sampleIndex from 0 to {@code size() - 1}
   * @throws io.github.pretrain4j.dataset.CorruptDatasetException if the dataset or a cache file is
   *     damaged
   */
  GptSample sample(long sampleIndex) throws IOException;

  /**
   * Where the sample at a place in the order comes from.
   *
   * @param sampleIndex from 0 to {@code size() - 1}
   */
  SampleOrigin origin(long sampleIndex) throws IOException;

  /**
   * What the order of samples depends on, as JSON; where there are cache files, its MD5 names them.
   */
  String description();

  /** Closes the datasets. Idempotent. */
  @Override
  void close();
}
