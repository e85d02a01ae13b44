package io.github.pretrain4j.dataset.gpt;

import io.github.pretrain4j.dataset.storage.FileCommit;
import io.github.pretrain4j.dataset.storage.PendingFile;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Which training data a run consumes, iteration by iteration: small enough for a checkpoint, and
 * together with the datasets enough to name the documents of any iteration ({@link TrainingData}).
 *
 * <p>A run has one phase for each blend that it used. A phase says where every dataset of the run
 * stood when it began, so that a dataset goes on in its own order whatever the other datasets do,
 * and one that is dropped can come back later. Iterations are counted as the log prints them: the
 * first is iteration 1. Immutable.
 *
 * @param seed the run's seed, which all orders depend on
 * @param seqLength tokens of a sample
 * @param split shares of train, valid and test, or null if training has whole datasets of its own
 * @param addExtraTokenToSequence whether consecutive samples share a token
 * @param phases at least one, in order; the first one begins at sample 0
 * @param position how far the run had come when this was written, or null
 */
public record DataLedger(
    long seed,
    int seqLength,
    @Nullable String split,
    boolean addExtraTokenToSequence,
    List<Phase> phases,
    @Nullable Position position) {

  /**
   * A time of one blend.
   *
   * @param firstIteration iterations done before it
   * @param firstSample samples consumed before it
   * @param requestedSamples samples asked for from then on, or {@link GptDataset#ONE_EPOCH}
   * @param batches samples of each iteration
   * @param blend the datasets; later phases than the first treat {@code N} samples of weightless
   *     datasets as weights by their sizes, without an end
   * @param datasets where all datasets of the run stood: first the blend's in its order, then those
   *     that earlier blends had
   */
  public record Phase(
      long firstIteration,
      long firstSample,
      long requestedSamples,
      BatchSchedule batches,
      Blend blend,
      List<DatasetState> datasets) {
    /** Checks that every member of the blend has a state. */
    public Phase {
      datasets = List.copyOf(datasets);
      if (firstIteration < 0 || firstSample < 0 || requestedSamples < GptDataset.ONE_EPOCH) {
        throw new IllegalArgumentException(
            "a phase from iteration " + firstIteration + ", sample " + firstSample);
      }
      List<DatasetName> names = names(blend);
      for (int i = 0; i < names.size(); i++) {
        if (i >= datasets.size() || !datasets.get(i).name().equals(names.get(i))) {
          throw new IllegalArgumentException(
              "the datasets of a phase must begin with those of its blend: " + names);
        }
      }
    }
  }

  /**
   * A dataset of a run.
   *
   * @param prefix its prefix
   * @param occurrence which of the blend's datasets with this prefix, from 0
   */
  public record DatasetName(String prefix, int occurrence) {
    @Override
    public String toString() {
      return occurrence == 0 ? prefix : prefix + " (" + (occurrence + 1) + ")";
    }
  }

  /**
   * Where a dataset stands.
   *
   * @param name the dataset
   * @param orderSamples samples its first order was made for, which decides that order; {@link
   *     GptDataset#ONE_EPOCH} if it was made for one epoch
   * @param consumed samples of it that the run has consumed
   */
  public record DatasetState(DatasetName name, long orderSamples, long consumed) {
    /** Checks the counts. */
    public DatasetState {
      if (orderSamples < GptDataset.ONE_EPOCH || consumed < 0) {
        throw new IllegalArgumentException(name + ": " + consumed + " of " + orderSamples);
      }
    }
  }

  /**
   * How far a run has come.
   *
   * @param iteration iterations done
   * @param samples samples consumed
   * @param datasets the same by dataset
   */
  public record Position(long iteration, long samples, List<DatasetState> datasets) {
    /** Takes a copy. */
    public Position {
      datasets = List.copyOf(datasets);
    }
  }

  /** Samples {@code first} up to but without {@code end}. */
  public record SampleRange(long first, long end) {}

  /** Checks that the phases follow each other. */
  public DataLedger {
    phases = List.copyOf(phases);
    if (phases.isEmpty()
        || phases.get(0).firstSample() != 0
        || phases.get(0).firstIteration() != 0) {
      throw new IllegalArgumentException("a ledger begins with a phase at sample 0");
    }
    for (int i = 1; i < phases.size(); i++) {
      Phase before = phases.get(i - 1);
      Phase phase = phases.get(i);
      long iterations = phase.firstIteration() - before.firstIteration();
      if (iterations < 0
          || before.batches().samplesAfter(before.firstSample(), iterations)
              != phase.firstSample()) {
        throw new IllegalArgumentException(
            String.format(
                "phase %d begins at iteration %d and sample %d, which do not belong together",
                i, phase.firstIteration(), phase.firstSample()));
      }
    }
  }

  /**
   * The ledger of a new run.
   *
   * @param config seed, length and split
   * @param blend the datasets
   * @param trainSamples samples asked for, or {@link GptDataset#ONE_EPOCH}
   */
  public static DataLedger start(
      GptDatasetConfig config, Blend blend, long trainSamples, BatchSchedule batches) {
    List<DatasetState> datasets = new ArrayList<>();
    long[] orders = SampleSplits.memberSamples(blend, config, trainSamples);
    List<DatasetName> names = names(blend);
    for (int i = 0; i < orders.length; i++) {
      datasets.add(new DatasetState(names.get(i), orders[i], 0));
    }
    return new DataLedger(
        config.seed(),
        config.seqLength(),
        config.split(),
        config.addExtraTokenToSequence(),
        List.of(new Phase(0, 0, trainSamples, batches, blend, datasets)),
        null);
  }

  /**
   * This with another phase; {@link TrainingData#change} says where the datasets stand.
   *
   * @param states where all datasets stand when it begins
   */
  DataLedger with(
      GptDatasetConfig config,
      long firstIteration,
      long requestedSamples,
      BatchSchedule batches,
      Blend blend,
      List<DatasetState> states) {
    long firstSample = samplesBefore(firstIteration + 1);
    List<Phase> all = new ArrayList<>();
    for (Phase phase : phases) {
      if (phase.firstSample() < firstSample) {
        all.add(phase);
      }
    }
    List<DatasetState> others = new ArrayList<>(states);
    List<DatasetState> datasets = new ArrayList<>();
    long[] orders = SampleSplits.memberSamples(blend, config, requestedSamples);
    List<DatasetName> names = names(blend);
    for (int i = 0; i < orders.length; i++) {
      DatasetName name = names.get(i);
      DatasetState state =
          others.stream()
              .filter(other -> other.name().equals(name))
              .findFirst()
              .orElse(new DatasetState(name, orders[i], 0));
      others.remove(state);
      datasets.add(state);
    }
    datasets.addAll(others);
    all.add(new Phase(firstIteration, firstSample, requestedSamples, batches, blend, datasets));
    return new DataLedger(seed, seqLength, split, addExtraTokenToSequence, all, null);
  }

  /** This with another position. */
  public DataLedger at(@Nullable Position now) {
    return new DataLedger(seed, seqLength, split, addExtraTokenToSequence, phases, now);
  }

  private static List<DatasetName> names(Blend blend) {
    List<DatasetName> names = new ArrayList<>();
    for (Blend.Member member : blend.members()) {
      int occurrence = 0;
      while (names.contains(new DatasetName(member.prefix(), occurrence))) {
        occurrence++;
      }
      names.add(new DatasetName(member.prefix(), occurrence));
    }
    return names;
  }

  /** The last phase. */
  public Phase lastPhase() {
    return phases.get(phases.size() - 1);
  }

  /**
   * The samples that an iteration consumes.
   *
   * @param iteration as the log prints it, from 1
   */
  public SampleRange samplesOf(long iteration) {
    if (iteration < 1) {
      throw new IllegalArgumentException("iterations are counted from 1: " + iteration);
    }
    Phase phase = phaseOf(iteration);
    long first = samplesBefore(iteration);
    return new SampleRange(first, first + phase.batches().batchAfter(first));
  }

  /** The samples consumed before an iteration begins. */
  long samplesBefore(long iteration) {
    Phase phase = phaseOf(iteration);
    return phase
        .batches()
        .samplesAfter(phase.firstSample(), iteration - 1 - phase.firstIteration());
  }

  /** Samples consumed when this many iterations are done. */
  public long samplesAfter(long iterations) {
    return samplesBefore(iterations + 1);
  }

  private Phase phaseOf(long iteration) {
    Phase found = phases.get(0);
    for (Phase phase : phases) {
      if (phase.firstIteration() < iteration) {
        found = phase;
      }
    }
    return found;
  }

  /**
   * Checks that a configuration gives the orders of this ledger.
   *
   * @throws IllegalArgumentException naming the first setting that differs
   */
  void requireSame(GptDatasetConfig config) {
    require("seed", seed, config.seed());
    require("seqLength", seqLength, config.seqLength());
    require("split", split, config.split());
    require("addExtraTokenToSequence", addExtraTokenToSequence, config.addExtraTokenToSequence());
  }

  private static void require(
      String what, @Nullable Object ledger, @Nullable Object configuration) {
    if (!Objects.equals(ledger, configuration)) {
      throw new IllegalArgumentException(
          what
              + " is "
              + configuration
              + ", the run's data ledger says "
              + ledger
              + ": the order of samples depends on it");
    }
  }

  /** The configuration that this ledger implies: no masks, no cache. */
  public GptDatasetConfig config() {
    return GptDatasetConfig.of(seed, seqLength, split)
        .withEnds(GptDatasetConfig.NO_PAD, addExtraTokenToSequence, true);
  }

  /** This as JSON; the same ledger has the same text. */
  public String json() {
    return DataLedgerJson.write(this);
  }

  /**
   * Reads what {@link #json} wrote.
   *
   * @param file where it comes from, for messages
   * @throws io.github.pretrain4j.dataset.CorruptDatasetException if it is something else
   */
  public static DataLedger parse(String json, Path file) throws IOException {
    return DataLedgerJson.read(json, file);
  }

  /** Reads a file of {@link #json}. */
  public static DataLedger read(Path file) throws IOException {
    return parse(Files.readString(file), file);
  }

  /** Writes {@link #json} into a file, which appears complete or not at all. */
  public void write(Path file) throws IOException {
    try (PendingFile pending = PendingFile.create(file)) {
      pending.put(json().getBytes(StandardCharsets.UTF_8));
      pending.seal();
      FileCommit.replace(List.of(pending));
    }
  }
}
