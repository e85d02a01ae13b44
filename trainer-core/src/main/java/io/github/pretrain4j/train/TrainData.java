package io.github.pretrain4j.train;

import io.github.pretrain4j.dataset.gpt.GptDataset;
import io.github.pretrain4j.dataset.gpt.GptDatasetConfig;
import io.github.pretrain4j.dataset.gpt.PretrainingSampler;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The datasets of a run and where it stands in them.
 *
 * <p>Training samples come in the order of Megatron's dataset from the samples consumed so far;
 * validation samples likewise, over all evaluations; extra validation sets always from their
 * beginning. Not thread-safe.
 */
final class TrainData implements AutoCloseable {
  private final int vocabularyRows;
  private final int microBatchSize;
  private final String origin;
  private final GptDataset.Splits splits;
  private final Map<String, GptDataset> extraSets = new LinkedHashMap<>();
  private @Nullable PretrainingSampler trainSampler;
  private @Nullable PretrainingSampler validSampler;

  /** Where a run goes on. */
  record Position(long iteration, long consumedValidSamples) {
    static final Position START = new Position(0, 0);
  }

  private TrainData(TrainConfig config, int vocabularyRows, GptDataset.Splits splits) {
    this.vocabularyRows = vocabularyRows;
    this.microBatchSize = config.run().microBatchSize();
    this.origin = config.data().dataPath().getFirst();
    this.splits = splits;
  }

  /**
   * Opens everything; index caches are built as needed.
   *
   * <p>The validation split has as many samples as Megatron gives it, and more where a run goes on
   * with a larger {@code eval_interval} or a smaller {@code eval_iters} than before: those that
   * were consumed and those that are still to come.
   */
  static TrainData open(
      TrainConfig config, TrainTokenizer tokenizer, int vocabularyRows, Position start)
      throws IOException {
    DataOptions options = config.data();
    RunOptions run = config.run();
    long evaluated = (long) run.evalIters() * run.batchSize();
    long evaluations = 1L + run.iterations() / run.evalInterval();
    long evaluationsDone = start.iteration() / run.evalInterval();
    long validSamples =
        Math.max(
            evaluations * evaluated,
            Math.addExact(
                start.consumedValidSamples(),
                Math.max(1, evaluations - evaluationsDone) * evaluated));
    Path prefix = Path.of(options.dataPath().getFirst());
    TrainData data =
        new TrainData(
            config,
            vocabularyRows,
            GptDataset.build(
                prefix,
                datasetConfig(config, tokenizer, options.split(), prefix),
                run.samples(),
                run.evalIters() == 0 ? 0 : validSamples,
                evaluated));
    try {
      for (String set : options.extraValidDataPath()) {
        int equals = set.indexOf('=');
        Path file = Path.of(set.substring(equals + 1));
        GptDataset dataset =
            GptDataset.buildPerSplit(
                    null,
                    file,
                    null,
                    datasetConfig(config, tokenizer, null, file),
                    0,
                    GptDataset.ONE_EPOCH,
                    0)
                .valid();
        if (dataset == null) {
          throw new IllegalArgumentException(
              "extra_valid_data_path " + set + ": no sample of seq_length tokens in it");
        }
        data.extraSets.put(set.substring(0, equals), dataset);
      }
      return data;
    } catch (IOException | RuntimeException e) {
      data.close();
      throw e;
    }
  }

  private static GptDatasetConfig datasetConfig(
      TrainConfig config, TrainTokenizer tokenizer, @Nullable String split, Path prefix) {
    DataOptions options = config.data();
    Path cache =
        options.dataCachePath() != null
            ? options.dataCachePath()
            : prefix
                .resolve("cache")
                .resolve("GPTDataset_indices"); // where Megatron looks, odd as it is
    return GptDatasetConfig.of(config.run().seed(), options.seqLength(), split)
        .withEod(tokenizer.eodId(), options.resetPositionIds(), false, options.eodMaskLoss())
        .withEnds(tokenizer.padId(), true, true)
        .withCache(cache, tokenizer.description());
  }

  boolean hasValidation() {
    return splits.valid() != null;
  }

  boolean hasTest() {
    return splits.test() != null;
  }

  Map<String, GptDataset> extraSets() {
    return extraSets;
  }

  /** Positions training and validation after what has been consumed. */
  void start(long consumedTrainSamples, long consumedValidSamples) {
    trainSampler = sampler(splits.train(), consumedTrainSamples);
    validSampler = sampler(splits.valid(), consumedValidSamples);
  }

  private @Nullable PretrainingSampler sampler(@Nullable GptDataset dataset, long consumed) {
    return dataset == null || consumed >= dataset.size()
        ? null
        : new PretrainingSampler(dataset.size(), consumed, microBatchSize, 0, 1);
  }

  SampleBatch nextTrain() throws IOException {
    return next(splits.train(), trainSampler, "training");
  }

  SampleBatch nextValid() throws IOException {
    return next(splits.valid(), validSampler, "validation");
  }

  /** Micro-batch {@code index} of the test split. */
  SampleBatch test(long index) throws IOException {
    return consecutive(splits.test(), index * microBatchSize, microBatchSize, origin);
  }

  /** Samples {@code first} and on of an extra set. */
  SampleBatch extra(String name, long first, int count) throws IOException {
    return consecutive(extraSets.get(name), first, count, "extra validation set " + name);
  }

  private SampleBatch consecutive(@Nullable GptDataset dataset, long first, int count, String from)
      throws IOException {
    if (dataset == null) {
      throw new IllegalStateException("no such dataset: " + from);
    }
    long[] indices = new long[count];
    for (int i = 0; i < count; i++) {
      indices[i] = first + i;
    }
    return SampleBatch.read(dataset, indices, vocabularyRows, from);
  }

  private SampleBatch next(
      @Nullable GptDataset dataset, @Nullable PretrainingSampler sampler, String what)
      throws IOException {
    if (dataset == null || sampler == null || !sampler.hasNext()) {
      throw new IllegalArgumentException(origin + ": the " + what + " samples are used up");
    }
    return SampleBatch.read(dataset, sampler.next(), vocabularyRows, origin);
  }

  @Override
  public void close() {
    extraSets.values().forEach(GptDataset::close);
    splits.close();
  }
}
