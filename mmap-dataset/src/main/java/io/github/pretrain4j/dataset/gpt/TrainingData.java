package io.github.pretrain4j.dataset.gpt;

import io.github.pretrain4j.dataset.storage.Scope;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * The training samples of a run, in the order in which it consumes them, over all its blends: the
 * sample at index n is the one that is consumed when n samples have been. Thread-safe.
 *
 * <h2>How a run changes its blend</h2>
 *
 * <p>The first phase is Megatron's dataset of its blend. A later phase deals its samples by
 * Megatron's rule for its own weights, counted from its first sample; but where Megatron would
 * begin each dataset's order anew and skip as many samples as the run has consumed, here each
 * dataset gives the sample that comes next in its own order. So nothing is lost or repeated by a
 * change:
 *
 * <ul>
 *   <li>the first order of a dataset is the Megatron order for as many samples as the phase that
 *       brought it in asked of it, whatever later phases ask;
 *   <li>when it is used up, passes over one epoch each follow, pass k being Megatron's order of one
 *       epoch for the seed {@code (seed + k * 0x9e3779b9) mod 2^32};
 *   <li>a dataset that is new begins at its first sample, one that comes back goes on where it was.
 * </ul>
 *
 * <p>In a later phase weightless datasets are dealt in proportion to one epoch of each.
 */
public final class TrainingData implements SampleDataset {
  private static final long PASS_SEED_STEP = 0x9e37_79b9L;
  private static final String TRAIN = "train";

  private final DataLedger ledger;
  private final GptDatasetConfig config;
  private final Map<DataLedger.DatasetName, Source> sources;
  private final List<Dealt> phases;

  private TrainingData(
      DataLedger ledger,
      GptDatasetConfig config,
      Map<DataLedger.DatasetName, Source> sources,
      List<Dealt> phases) {
    this.ledger = ledger;
    this.config = config;
    this.sources = sources;
    this.phases = phases;
  }

  /** One dataset: its first order and the passes that follow. */
  private record Source(List<GptDataset> passes) {
    GptDataset first() {
      return passes.get(0);
    }

    /** Samples of one epoch; where there is not one, opening a pass over it fails. */
    long epochSamples() {
      GptIndex.Plan plan = first().plan();
      return Math.max(1, (plan.tokenCount() - plan.extraTokens()) / plan.seqLength());
    }

    int passOf(long consumed) {
      long beyond = consumed - first().size();
      return beyond < 0 ? 0 : Math.toIntExact(1 + beyond / epochSamples());
    }

    long inPass(long consumed) {
      long beyond = consumed - first().size();
      return beyond < 0 ? consumed : beyond % epochSamples();
    }
  }

  /**
   * A phase as it is dealt.
   *
   * @param first its first sample
   * @param length its samples, up to the next phase
   * @param sources its datasets
   * @param consumed what they had given before
   * @param index which of them gives each sample, or null if there is only one
   */
  @SuppressWarnings("ArrayRecordComponent") // never compared
  private record Dealt(
      long first, long length, List<Source> sources, long[] consumed, @Nullable BlendIndex index) {
    int datasetOf(long inPhase) {
      return index == null ? 0 : (int) index.datasetIndex().get(inPhase);
    }

    /** How many samples of that dataset had been given before this one. */
    long placeOf(long inPhase, int dataset) {
      return consumed[dataset]
          + (index == null ? inPhase : index.datasetSampleIndex().get(inPhase));
    }

    /** What each dataset has given when the phase has gone on so far. */
    long[] consumedAfter(long inPhase) {
      long[] counts = consumed.clone();
      long[] more = index == null ? new long[] {inPhase} : index.counts(counts.length, inPhase);
      for (int i = 0; i < counts.length; i++) {
        counts[i] += more[i];
      }
      return counts;
    }
  }

  /**
   * Opens the data of a run; index caches are built as needed.
   *
   * @param config how samples are made; seed, length, split and extra token must be the ledger's
   * @throws IllegalArgumentException if they are not, or if the ledger's counts are not those that
   *     the datasets give
   */
  public static TrainingData open(DataLedger ledger, GptDatasetConfig config) throws IOException {
    return open(Path::of, ledger, config);
  }

  static TrainingData open(
      Function<String, Path> locate, DataLedger ledger, GptDatasetConfig config)
      throws IOException {
    ledger.requireSame(config);
    Scope opened = new Scope();
    try {
      return new Opening(locate, ledger, config, opened).open();
    } catch (IOException | RuntimeException e) {
      opened.closeAfter(e);
      throw e;
    }
  }

  /** Seed of a pass over a dataset whose first order is used up. */
  static long passSeed(long seed, int pass) {
    return (seed + pass * PASS_SEED_STEP) & 0xffff_ffffL;
  }

  /** What is open so far. */
  private static final class Opening {
    private final Function<String, Path> locate;
    private final DataLedger ledger;
    private final GptDatasetConfig config;
    private final Scope opened;
    private final @Nullable SplitMatrix matrix;
    private final Map<DataLedger.DatasetName, Source> sources = new LinkedHashMap<>();

    Opening(
        Function<String, Path> locate, DataLedger ledger, GptDatasetConfig config, Scope opened) {
      this.locate = locate;
      this.ledger = ledger;
      this.config = config;
      this.opened = opened;
      this.matrix = config.split() == null ? null : SplitMatrix.parse(config.split());
    }

    TrainingData open() throws IOException {
      List<Dealt> phases = new ArrayList<>();
      for (int p = 0; p < ledger.phases().size(); p++) {
        DataLedger.Phase phase = ledger.phases().get(p);
        for (DataLedger.DatasetState state : phase.datasets()) {
          if (!sources.containsKey(state.name())) {
            GptDataset first =
                dataset(state.name(), config, state.orderSamples(), "the train split");
            sources.put(state.name(), new Source(new ArrayList<>(List.of(first))));
          }
        }
        long end =
            p + 1 < ledger.phases().size()
                ? ledger.phases().get(p + 1).firstSample()
                : Long.MAX_VALUE;
        Dealt dealt = deal(phase, end, p == 0);
        if (p > 0) {
          checkCounts(ledger.phases().get(p - 1), phases.get(p - 1), phase);
        }
        openPasses(phase, dealt);
        phases.add(dealt);
      }
      return new TrainingData(ledger, config, sources, phases);
    }

    private GptDataset dataset(
        DataLedger.DatasetName name, GptDatasetConfig settings, long samples, String what)
        throws IOException {
      GptDataset dataset =
          GptDataset.open(locate, name.prefix(), settings, matrix, GptDataset.TRAIN, samples);
      if (dataset == null || dataset.size() == 0) {
        if (dataset != null) {
          dataset.close();
        }
        throw new IllegalArgumentException(
            name + " has too few tokens in " + what + " for one sample: leave it out");
      }
      opened.add(dataset::close);
      return dataset;
    }

    private Dealt deal(DataLedger.Phase phase, long end, boolean isFirst) throws IOException {
      List<Source> members = new ArrayList<>();
      long[] consumed = new long[phase.blend().members().size()];
      for (int i = 0; i < consumed.length; i++) {
        DataLedger.DatasetState state = phase.datasets().get(i);
        members.add(Objects.requireNonNull(sources.get(state.name())));
        consumed[i] = state.consumed();
      }
      BlendIndex index = null;
      long size;
      if (SampleSplits.isNoBlend(phase.blend(), config)) {
        boolean asLongAsTheOrder = isFirst || phase.requestedSamples() == GptDataset.ONE_EPOCH;
        size = asLongAsTheOrder ? members.get(0).first().size() : phase.requestedSamples();
      } else {
        index = isFirst ? firstIndex(phase, members) : laterIndex(phase, members);
        size = index.datasetIndex().length();
      }
      long length = end == Long.MAX_VALUE ? size : end - phase.firstSample();
      if (length > size) {
        throw new IllegalArgumentException(
            String.format(
                "the phase from sample %d has %d samples, the next begins after %d",
                phase.firstSample(), size, length));
      }
      return new Dealt(phase.firstSample(), length, members, consumed, index);
    }

    /** Megatron's blend. */
    private BlendIndex firstIndex(DataLedger.Phase phase, List<Source> members) throws IOException {
      List<GptDataset> datasets = members.stream().map(Source::first).toList();
      long samples = phase.requestedSamples();
      double[] weights = null;
      if (phase.blend().isWeighted()) {
        weights = BlendIndex.normalize(phase.blend().weights());
        samples = SampleSplits.blendSize(weights, samples, config);
      } else if (samples != GptDataset.ONE_EPOCH) {
        samples = Math.min(samples, datasets.stream().mapToLong(GptDataset::size).sum());
      }
      return BlendedDataset.of(datasets, weights, samples, TRAIN, config).index();
    }

    private BlendIndex laterIndex(DataLedger.Phase phase, List<Source> members) throws IOException {
      long samples = phase.requestedSamples();
      double[] weights = new double[members.size()];
      long[] sizes = new long[weights.length];
      for (int i = 0; i < weights.length; i++) {
        sizes[i] = Long.MAX_VALUE;
        weights[i] = members.get(i).epochSamples();
      }
      if (phase.blend().isWeighted()) {
        weights = BlendIndex.normalize(phase.blend().weights());
        samples = SampleSplits.blendSize(weights, samples, config);
      } else if (samples == GptDataset.ONE_EPOCH) {
        throw new IllegalArgumentException("a later phase needs a number of samples");
      }
      weights = BlendIndex.normalize(weights);
      PythonJson text = new PythonJson().beginObject().key("class").string("BlendPhase");
      text.key("weights").beginArray();
      for (double weight : weights) {
        text.floating(weight);
      }
      String description = text.endArray().key("size").integer(samples).endObject().toString();
      return BlendedDataset.openIndex(
          "BlendPhase", description, weights, sizes, samples, TRAIN, config);
    }

    private void openPasses(DataLedger.Phase phase, Dealt dealt) throws IOException {
      long[] consumed = dealt.consumedAfter(dealt.length());
      for (int i = 0; i < consumed.length; i++) {
        Source source = dealt.sources().get(i);
        int last = consumed[i] == 0 ? 0 : source.passOf(consumed[i] - 1);
        for (int pass = source.passes().size(); pass <= last; pass++) {
          source
              .passes()
              .add(
                  dataset(
                      phase.datasets().get(i).name(),
                      config.withSeed(passSeed(config.seed(), pass)),
                      GptDataset.ONE_EPOCH,
                      "pass " + pass));
        }
      }
    }

    private static void checkCounts(DataLedger.Phase before, Dealt dealt, DataLedger.Phase phase) {
      for (DataLedger.DatasetState expected : states(before, dealt.consumedAfter(dealt.length()))) {
        DataLedger.DatasetState found =
            phase.datasets().stream()
                .filter(state -> state.name().equals(expected.name()))
                .findFirst()
                .orElse(null);
        if (!expected.equals(found)) {
          throw new IllegalArgumentException(
              "the data ledger says of the phase from sample "
                  + phase.firstSample()
                  + ": "
                  + found
                  + "; the phase before it leads to "
                  + expected);
        }
      }
    }
  }

  private static List<DataLedger.DatasetState> states(DataLedger.Phase phase, long[] consumed) {
    List<DataLedger.DatasetState> states = new ArrayList<>();
    for (int i = 0; i < phase.datasets().size(); i++) {
      DataLedger.DatasetState state = phase.datasets().get(i);
      states.add(
          i < consumed.length
              ? new DataLedger.DatasetState(state.name(), state.orderSamples(), consumed[i])
              : state);
    }
    return states;
  }

  /** What this was opened with. */
  public DataLedger ledger() {
    return ledger;
  }

  /** Where every dataset of the run stands when this many samples have been consumed. */
  public List<DataLedger.DatasetState> consumed(long samples) {
    Objects.checkFromToIndex(0, samples, size());
    int p = phaseOf(samples);
    Dealt dealt = phases.get(p);
    return states(ledger.phases().get(p), dealt.consumedAfter(samples - dealt.first()));
  }

  /** Where the run stands when this many iterations are done. */
  public DataLedger.Position position(long iterations) {
    long samples = ledger.samplesAfter(iterations);
    return new DataLedger.Position(iterations, samples, consumed(samples));
  }

  /**
   * The ledger of a run that uses another blend after some iterations; what was planned beyond is
   * forgotten. Open it to go on.
   *
   * @param iterations iterations done with what this has
   * @param requestedSamples samples from then on
   */
  public DataLedger change(
      long iterations, Blend blend, long requestedSamples, BatchSchedule batches) {
    if (ledger.samplesAfter(iterations) == 0) {
      return DataLedger.start(config, blend, requestedSamples, batches);
    }
    List<DataLedger.DatasetState> states = consumed(ledger.samplesAfter(iterations));
    return ledger.with(config, iterations, requestedSamples, batches, blend, states);
  }

  @Override
  public long size() {
    Dealt last = phases.get(phases.size() - 1);
    return last.first() + last.length();
  }

  @Override
  public GptSample sample(long sampleIndex) throws IOException {
    return at(sampleIndex, (dataset, pass, order, place) -> order.sample(place));
  }

  @Override
  public SampleOrigin origin(long sampleIndex) throws IOException {
    return at(sampleIndex, (dataset, pass, order, place) -> order.origin(place).in(dataset, pass));
  }

  private interface Lookup<T> {
    T at(int dataset, int pass, GptDataset order, long place) throws IOException;
  }

  private <T> T at(long sampleIndex, Lookup<T> lookup) throws IOException {
    Objects.checkIndex(sampleIndex, size());
    Dealt dealt = phases.get(phaseOf(sampleIndex));
    long inPhase = sampleIndex - dealt.first();
    int dataset = dealt.datasetOf(inPhase);
    Source source = dealt.sources().get(dataset);
    long place = dealt.placeOf(inPhase, dataset);
    int pass = source.passOf(place);
    return lookup.at(dataset, pass, source.passes().get(pass), source.inPass(place));
  }

  private int phaseOf(long sample) {
    int found = 0;
    for (int p = 1; p < phases.size(); p++) {
      if (phases.get(p).first() <= sample) {
        found = p;
      }
    }
    return found;
  }

  /**
   * Goes through a dataset's samples in its own order, over all its passes that are open.
   *
   * @param from the first sample's number of that dataset
   * @param to the number behind the last one
   */
  void inputParts(DataLedger.DatasetName name, long from, long to, GptDataset.PartVisitor visitor)
      throws IOException {
    Source source = Objects.requireNonNull(sources.get(name), name.toString());
    for (long place = from; place < to; place++) {
      source.passes().get(source.passOf(place)).inputParts(source.inPass(place), visitor);
    }
  }

  /** The first order of a dataset. */
  GptDataset dataset(DataLedger.DatasetName name) {
    return Objects.requireNonNull(sources.get(name), name.toString()).first();
  }

  @Override
  public String description() {
    return ledger.json();
  }

  @Override
  public void close() {
    sources.values().forEach(source -> source.passes().forEach(GptDataset::close));
  }
}
