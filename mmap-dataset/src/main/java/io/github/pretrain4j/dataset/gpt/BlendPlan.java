package io.github.pretrain4j.dataset.gpt;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * What a run will have consumed if it changes its blend: by going on in each dataset's order, as
 * {@link TrainingData} does, and by Megatron's way, which is to begin the new blend anew and skip
 * as many samples as the run has consumed.
 *
 * @param iteration iterations done with the blend before
 * @param firstSample samples consumed before
 * @param endSample samples consumed at the end
 * @param exact each dataset of the run, going on in its order
 * @param plain the same in Megatron's way
 */
public record BlendPlan(
    long iteration, long firstSample, long endSample, List<Row> exact, List<Row> plain) {
  /** Takes copies. */
  public BlendPlan {
    exact = List.copyOf(exact);
    plain = List.copyOf(plain);
  }

  /**
   * One dataset. Tokens are those of samples' inputs.
   *
   * @param dataset the dataset
   * @param epochTokens tokens of its train split
   * @param consumedSamples its samples before the change
   * @param consumedTokens its tokens before the change
   * @param plannedSamples its samples from then to the end
   * @param plannedTokens its tokens from then to the end
   * @param repeatedTokens those of them that were consumed before, or twice among themselves
   * @param neverSeenTokens tokens of its train split that the run will never have seen
   */
  public record Row(
      DataLedger.DatasetName dataset,
      long epochTokens,
      long consumedSamples,
      long consumedTokens,
      long plannedSamples,
      long plannedTokens,
      long repeatedTokens,
      long neverSeenTokens) {
    /** How many times the dataset's tokens will have been consumed on average. */
    public double epochs() {
      return (double) (consumedTokens + plannedTokens) / epochTokens;
    }
  }

  /**
   * Plans a change.
   *
   * @param blend the new blend
   * @param iteration iterations done with the old one
   * @param trainSamples samples of the whole run
   * @param config as for {@link TrainingData#open}
   */
  public static BlendPlan of(
      DataLedger ledger, GptDatasetConfig config, Blend blend, long iteration, long trainSamples)
      throws IOException {
    return of(Path::of, ledger, config, blend, iteration, trainSamples);
  }

  static BlendPlan of(
      Function<String, Path> locate,
      DataLedger ledger,
      GptDatasetConfig config,
      Blend blend,
      long iteration,
      long trainSamples)
      throws IOException {
    long firstSample = ledger.samplesAfter(iteration);
    if (trainSamples <= firstSample) {
      throw new IllegalArgumentException(
          "nothing is left to plan: "
              + firstSample
              + " of "
              + trainSamples
              + " samples are consumed after iteration "
              + iteration);
    }
    DataLedger changed;
    try (TrainingData before = TrainingData.open(locate, ledger, config)) {
      changed =
          before.change(iteration, blend, trainSamples - firstSample, ledger.lastPhase().batches());
    }
    try (TrainingData data = TrainingData.open(locate, changed, config)) {
      List<DataLedger.DatasetState> from = changed.lastPhase().datasets();
      List<DataLedger.DatasetState> to = data.consumed(Math.min(trainSamples, data.size()));
      List<Row> exact = new ArrayList<>();
      for (int i = 0; i < from.size(); i++) {
        DataLedger.DatasetName name = from.get(i).name();
        long consumed = from.get(i).consumed();
        long end = to.get(i).consumed();
        exact.add(
            row(
                data,
                from.get(i),
                end - consumed,
                visitor -> data.inputParts(name, consumed, end, visitor)));
      }
      List<Row> plain = plain(locate, config, blend, data, firstSample, trainSamples);
      return new BlendPlan(iteration, firstSample, trainSamples, exact, plain);
    }
  }

  private static List<Row> plain(
      Function<String, Path> locate,
      GptDatasetConfig config,
      Blend blend,
      TrainingData data,
      long firstSample,
      long trainSamples)
      throws IOException {
    SplitMatrix matrix = config.split() == null ? null : SplitMatrix.parse(config.split());
    SampleDataset anew =
        SampleSplits.split(
            locate, blend, config.withoutCache(), matrix, GptDataset.TRAIN, trainSamples);
    try (SampleDataset megatron = Objects.requireNonNull(anew)) {
      long end = Math.min(trainSamples, megatron.size());
      long[] from = counts(megatron, Math.min(firstSample, end));
      long[] to = counts(megatron, end);
      List<Row> plain = new ArrayList<>();
      List<DataLedger.DatasetState> states = data.ledger().lastPhase().datasets();
      for (int i = 0; i < states.size(); i++) {
        GptDataset order = i < from.length ? member(megatron, i) : null;
        long first = order == null ? 0 : from[i];
        long last = order == null ? 0 : to[i];
        plain.add(
            row(data, states.get(i), last - first, visitor -> parts(order, first, last, visitor)));
      }
      return plain;
    }
  }

  private static long[] counts(SampleDataset dataset, long end) {
    return dataset instanceof BlendedDataset blended ? blended.consumed(end) : new long[] {end};
  }

  private static GptDataset member(SampleDataset dataset, int i) {
    return dataset instanceof BlendedDataset blended
        ? blended.datasets().get(i)
        : (GptDataset) dataset;
  }

  private static void parts(
      @Nullable GptDataset order, long first, long last, GptDataset.PartVisitor visitor)
      throws IOException {
    if (order != null) {
      for (long sample = first; sample < last; sample++) {
        order.inputParts(sample, visitor);
      }
    }
  }

  private static Row row(
      TrainingData data,
      DataLedger.DatasetState state,
      long plannedSamples,
      TokenCoverage.Parts planned)
      throws IOException {
    GptDataset dataset = data.dataset(state.name());
    TokenCoverage.Result tokens =
        new TokenCoverage(dataset)
            .count(visitor -> data.inputParts(state.name(), 0, state.consumed(), visitor), planned);
    return new Row(
        state.name(),
        dataset.tokenCount(),
        state.consumed(),
        tokens.before(),
        plannedSamples,
        tokens.planned(),
        tokens.repeated(),
        tokens.neverSeen());
  }
}
