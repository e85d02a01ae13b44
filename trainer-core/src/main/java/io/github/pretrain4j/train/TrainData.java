package io.github.pretrain4j.train;

import io.github.pretrain4j.dataset.gpt.BatchSchedule;
import io.github.pretrain4j.dataset.gpt.Blend;
import io.github.pretrain4j.dataset.gpt.CyclicSampler;
import io.github.pretrain4j.dataset.gpt.DataLedger;
import io.github.pretrain4j.dataset.gpt.GptDataset;
import io.github.pretrain4j.dataset.gpt.GptDatasetConfig;
import io.github.pretrain4j.dataset.gpt.PretrainingSampler;
import io.github.pretrain4j.dataset.gpt.SampleDataset;
import io.github.pretrain4j.dataset.gpt.SampleSplits;
import io.github.pretrain4j.dataset.gpt.TrainingData;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The datasets of a run and where it stands in them.
 *
 * <p>Training samples come in the order of Megatron's dataset from the samples consumed so far;
 * validation samples likewise, over all evaluations; extra validation sets always from their
 * beginning. A run that goes on with another blend, or for longer, goes on in each dataset where it
 * stopped ({@link TrainingData}). Not thread-safe.
 */
final class TrainData implements AutoCloseable {
  private final int vocabularyRows;
  private final int microBatchSize;
  private final boolean cyclic;
  private final boolean sharded;
  private final Deque<SampleDataset> opened = new ArrayDeque<>();
  private final @Nullable SampleDataset train;
  private final @Nullable SampleDataset valid;
  private final @Nullable SampleDataset test;
  private final Map<String, GptDataset> extraSets = new LinkedHashMap<>();
  private @Nullable Iterator<long[]> trainSampler;
  private @Nullable PretrainingSampler validSampler;

  /**
   * Where a run goes on.
   *
   * @param ledger what it has consumed, if its checkpoint says so
   */
  record Position(
      long iteration,
      long consumedTrainSamples,
      long consumedValidSamples,
      @Nullable DataLedger ledger) {
    static final Position START = new Position(0, 0, 0, null);
  }

  /**
   * Opens everything; index caches are built as needed.
   *
   * <p>The validation split has as many samples as Megatron gives it, and more where a run goes on
   * with a larger {@code eval_interval} or a smaller {@code eval_iters} than before: those that
   * were consumed and those that are still to come.
   */
  private TrainData(
      TrainConfig config, TrainTokenizer tokenizer, int vocabularyRows, Position start)
      throws IOException {
    DataOptions options = config.data();
    RunOptions run = config.run();
    this.vocabularyRows = vocabularyRows;
    this.microBatchSize = run.microBatchSize();
    this.cyclic = options.isCyclic();
    this.sharded = !options.noDataSharding();
    long evaluated = (long) run.evalIters() * run.batchSize();
    long evaluations = 1L + run.iterations() / run.evalInterval();
    long evaluationsDone = start.iteration() / run.evalInterval();
    long validSamples =
        run.evalIters() == 0
            ? 0
            : Math.max(
                evaluations * evaluated,
                Math.addExact(
                    start.consumedValidSamples(),
                    Math.max(1, evaluations - evaluationsDone) * evaluated));
    try {
      long cyclicSamples = cyclic ? run.samples() : GptDataset.NOT_WANTED;
      GptDatasetConfig samples;
      SampleSplits splits;
      Blend blend;
      if (options.isPerSplit()) {
        Blend.PerSplit blends = options.blendsPerSplit();
        DatasetOrigins.check(config, tokenizer, blends.train(), blends.valid(), blends.test());
        samples = datasetConfig(config, tokenizer, null);
        blend = blends.train();
        splits =
            SampleSplits.buildPerSplit(blends, samples, cyclicSamples, validSamples, evaluated);
      } else {
        blend = options.blend();
        DatasetOrigins.check(config, tokenizer, blend);
        samples = datasetConfig(config, tokenizer, options.split());
        splits = SampleSplits.build(blend, samples, cyclicSamples, validSamples, evaluated);
      }
      valid = opened(splits.valid());
      test = opened(splits.test());
      train =
          cyclic || blend == null
              ? opened(splits.train())
              : opened(TrainingData.open(ledger(config, blend, samples, start), samples));
      GptDatasetConfig whole = datasetConfig(config, tokenizer, null);
      for (String set : options.extraValidDataPath()) {
        int equals = set.indexOf('=');
        Blend blendOfOne = Blend.of(set.substring(equals + 1));
        GptDataset dataset =
            SampleSplits.validationSets(blendOfOne, whole, GptDataset.ONE_EPOCH).getFirst();
        opened.push(dataset);
        if (dataset.size() == 0) {
          throw new IllegalArgumentException(
              "extra_valid_data_path " + set + ": no sample of seq_length tokens in it");
        }
        extraSets.put(set.substring(0, equals), dataset);
      }
    } catch (IOException | RuntimeException e) {
      close();
      throw e;
    }
  }

  /** Opens what the options name. */
  static TrainData open(
      TrainConfig config, TrainTokenizer tokenizer, int vocabularyRows, Position start)
      throws IOException {
    return new TrainData(config, tokenizer, vocabularyRows, start);
  }

  private @Nullable SampleDataset opened(@Nullable SampleDataset dataset) {
    if (dataset != null) {
      opened.push(dataset);
    }
    return dataset;
  }

  private static GptDatasetConfig datasetConfig(
      TrainConfig config, TrainTokenizer tokenizer, @Nullable String split) {
    DataOptions options = config.data();
    GptDatasetConfig samples =
        GptDatasetConfig.of(config.run().seed(), options.seqLength(), split)
            .withEod(tokenizer.eodId(), options.resetPositionIds(), false, options.eodMaskLoss())
            .withEnds(tokenizer.padId(), true, true)
            .withMidLevelSurplus(options.midLevelDatasetSurplus());
    return options.dataCachePath() == null
        ? samples.withCacheBesideDataset(tokenizer.description())
        : samples.withCache(options.dataCachePath(), tokenizer.description());
  }

  // ---- going on

  /**
   * The ledger to go on with: the checkpoint's if it covers this run, else with a further phase
   * from here on.
   *
   * @throws IllegalArgumentException if the blend is another one and nothing says that it may be
   */
  private static DataLedger ledger(
      TrainConfig config, Blend blend, GptDatasetConfig samples, Position start)
      throws IOException {
    BatchSchedule batches = BatchSchedule.constant(config.run().batchSize());
    long total = config.run().samples();
    DataLedger saved = start.ledger();
    if (saved == null) {
      return DataLedger.start(samples, blend, total, batches);
    }
    DataLedger.Phase last = saved.lastPhase();
    if (!last.blend().equals(blend) && !config.data().changeBlend()) {
      throw new IllegalArgumentException(
          "the checkpoint was trained on the blend %s, the options name %s: see 'p4j data plan' for what a change repeats and drops, and give change_blend to go on with the new one"
              .formatted(last.blend().arguments(), blend.arguments()));
    }
    boolean covered = last.firstSample() + last.requestedSamples() >= total;
    if (last.blend().equals(blend) && last.batches().equals(batches) && covered) {
      return saved.at(null);
    }
    try (TrainingData before = TrainingData.open(saved.at(null), samples)) {
      return before.change(start.iteration(), blend, total - start.consumedTrainSamples(), batches);
    }
  }

  /** What the run has consumed after some iterations, for its checkpoint; null for cyclic order. */
  @Nullable DataLedger ledger(long iteration) {
    return train instanceof TrainingData data ? data.ledger().at(data.position(iteration)) : null;
  }

  // ---- samples

  boolean hasValidation() {
    return valid != null;
  }

  boolean hasTest() {
    return test != null;
  }

  Map<String, GptDataset> extraSets() {
    return extraSets;
  }

  /** Positions training and validation after what has been consumed. */
  void start(long consumedTrainSamples, long consumedValidSamples) {
    trainSampler =
        cyclic && train != null
            ? new CyclicSampler(train.size(), consumedTrainSamples, microBatchSize, 0, 1, sharded)
            : sampler(train, consumedTrainSamples);
    validSampler = sampler(valid, consumedValidSamples);
  }

  private @Nullable PretrainingSampler sampler(@Nullable SampleDataset dataset, long consumed) {
    return dataset == null || consumed >= dataset.size()
        ? null
        : new PretrainingSampler(dataset.size(), consumed, microBatchSize, 0, 1);
  }

  SampleBatch nextTrain() throws IOException {
    return next(train, trainSampler, "training");
  }

  SampleBatch nextValid() throws IOException {
    return next(valid, validSampler, "validation");
  }

  /** Micro-batch {@code index} of the test split. */
  SampleBatch test(long index) throws IOException {
    return consecutive(test, index * microBatchSize, microBatchSize, "test");
  }

  /** Samples {@code first} and on of an extra set. */
  SampleBatch extra(String name, long first, int count) throws IOException {
    return consecutive(extraSets.get(name), first, count, "extra validation set " + name);
  }

  private SampleBatch consecutive(
      @Nullable SampleDataset dataset, long first, int count, String what) throws IOException {
    if (dataset == null) {
      throw new IllegalStateException("no such dataset: " + what);
    }
    long[] indices = new long[count];
    for (int i = 0; i < count; i++) {
      indices[i] = first + i;
    }
    return SampleBatch.read(dataset, indices, vocabularyRows);
  }

  private SampleBatch next(
      @Nullable SampleDataset dataset, @Nullable Iterator<long[]> sampler, String what)
      throws IOException {
    if (dataset == null || sampler == null || !sampler.hasNext()) {
      throw new IllegalArgumentException("the " + what + " samples are used up");
    }
    return SampleBatch.read(dataset, sampler.next(), vocabularyRows);
  }

  @Override
  public void close() {
    while (!opened.isEmpty()) {
      opened.pop().close();
    }
  }
}
