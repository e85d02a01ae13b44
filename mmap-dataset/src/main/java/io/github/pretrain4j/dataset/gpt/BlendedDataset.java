package io.github.pretrain4j.dataset.gpt;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Samples of several datasets in Megatron's {@code BlendedDataset} order: each time from the
 * dataset that is furthest behind its share. Made by {@link SampleSplits}. Thread-safe; closes its
 * datasets.
 */
public final class BlendedDataset implements SampleDataset {
  private static final String DATASET_INDEX = "dataset_index.npy";
  private static final String DATASET_SAMPLE_INDEX = "dataset_sample_index.npy";

  /** Entries at the end of an index whose choice is checked when a cache is opened. */
  private static final int CHECKED_TAIL = 1 << 14;

  /** How much a choice may fall short of the best, as a part of the samples before it. */
  private static final double CHOICE_TOLERANCE = 1e-12;

  private final List<GptDataset> datasets;
  private final BlendIndex index;
  private final String description;

  private BlendedDataset(List<GptDataset> datasets, BlendIndex index, String description) {
    this.datasets = datasets;
    this.index = index;
    this.description = description;
  }

  /**
   * Blends datasets.
   *
   * @param weights the weights, or null to deal in proportion to the datasets' sizes
   * @param size number of samples, or {@link GptDataset#ONE_EPOCH} for every sample of each
   * @throws IllegalArgumentException if a dataset has no samples, or fewer than are asked of it
   */
  static BlendedDataset of(
      List<GptDataset> datasets,
      double @Nullable [] weights,
      long size,
      String split,
      GptDatasetConfig config)
      throws IOException {
    long[] sizes = datasets.stream().mapToLong(GptDataset::size).toArray();
    double[] shares = new double[sizes.length];
    for (int i = 0; i < sizes.length; i++) {
      if (sizes[i] == 0) {
        throw new IllegalArgumentException(
            datasets.get(i).prefix()
                + " is too small for one sample of the "
                + split
                + " split: leave it out of the blend");
      }
      shares[i] = weights == null ? sizes[i] : weights[i];
    }
    boolean exhaustive = size == GptDataset.ONE_EPOCH;
    double[] normalized = exhaustive ? shares : BlendIndex.normalize(shares);
    String description =
        describe(datasets, exhaustive ? null : normalized, sizes, size, split, config.rules());
    double[] given = exhaustive ? null : normalized;
    BlendIndex index = openIndex("BlendedDataset", description, given, sizes, size, split, config);
    long[] counts = index.counts(sizes.length, index.datasetIndex().length());
    for (int i = 0; i < sizes.length; i++) {
      if (counts[i] > sizes[i]) {
        throw new IllegalArgumentException(
            String.format(
                "the %s blend needs %d samples of %s, which has %d: raise the mid-level surplus",
                split, counts[i], datasets.get(i).prefix(), sizes[i]));
      }
    }
    return new BlendedDataset(datasets, index, description);
  }

  /**
   * Builds an index, or maps the one that is in the cache.
   *
   * @param name of the class, as part of the names of files
   * @param weights adding up to 1, or null to deal every sample
   * @param sizes of the datasets
   */
  static BlendIndex openIndex(
      String name,
      String description,
      double @Nullable [] weights,
      long[] sizes,
      long size,
      String split,
      GptDatasetConfig config)
      throws IOException {
    Path directory = config.cacheDirectory();
    if (directory == null) {
      return build(weights, sizes, size).index();
    }
    IndexCache cache =
        new IndexCache(
            directory,
            IndexCache.hash(description) + "-" + name + "-" + config.rules().splitInNames(split),
            description,
            DATASET_INDEX,
            DATASET_SAMPLE_INDEX);
    return cache.open(
        () -> read(cache, weights, sizes, size),
        () -> {
          BlendIndex.Built built = build(weights, sizes, size);
          return Map.of(
              DATASET_INDEX,
              out -> NpyFile.write(out, built.datasetIndex()),
              DATASET_SAMPLE_INDEX,
              out -> NpyFile.write(out, NpyFile.Type.INT64, built.datasetSampleIndex()));
        });
  }

  private static String describe(
      List<GptDataset> datasets,
      double @Nullable [] weights,
      long[] sizes,
      long size,
      String split,
      MegatronRules rules) {
    PythonJson out =
        new PythonJson().beginObject().key("class").string("BlendedDataset").key("datasets");
    out.beginArray();
    for (GptDataset dataset : datasets) {
      out.raw(dataset.description());
    }
    out.endArray();
    if (rules != MegatronRules.CORE_0_6) {
      out.key("split").string(split);
    }
    out.key("weights").beginArray();
    for (int i = 0; i < sizes.length; i++) {
      if (weights == null) {
        out.integer(sizes[i]);
      } else {
        out.floating(weights[i]);
      }
    }
    out.endArray().key("size");
    if (weights == null) {
      out.nullValue();
    } else {
      out.integer(size);
    }
    return out.endObject().toString();
  }

  private static BlendIndex.Built build(double @Nullable [] weights, long[] sizes, long size) {
    return weights == null ? BlendIndex.buildExhaustive(sizes) : BlendIndex.build(weights, size);
  }

  /**
   * Maps the files and checks every entry: each dataset's samples are numbered from 0 without gaps.
   * That leaves only the last sample of each dataset to be exchanged unnoticed, so that the choices
   * at the end are checked as well.
   */
  private static BlendIndex read(
      IndexCache cache, double @Nullable [] weights, long[] sizes, long size) throws IOException {
    long total = weights == null ? Arrays.stream(sizes).sum() : size;
    BlendIndex index =
        new BlendIndex(
            NpyFile.open(cache.file(DATASET_INDEX), total, 0, NpyFile.Type.INT16),
            NpyFile.open(cache.file(DATASET_SAMPLE_INDEX), total, 0, NpyFile.Type.INT64));
    double[] shares = new double[sizes.length];
    for (int i = 0; i < shares.length; i++) {
      shares[i] = weights == null ? (double) sizes[i] / (double) total : weights[i];
    }
    double[] counts = new double[sizes.length];
    for (long k = 0; k < total; k++) {
      int dataset = (int) index.datasetIndex().get(k);
      if (dataset < 0
          || dataset >= sizes.length
          || (k >= total - CHECKED_TAIL
              && !isChoice(shares, counts, sizes, k, dataset, weights == null))) {
        throw IndexCache.damaged(
            cache.file(DATASET_INDEX),
            0,
            "entry " + k,
            "a dataset in 0.." + (sizes.length - 1) + " that is due",
            dataset);
      }
      long sample = index.datasetSampleIndex().get(k);
      if (sample != (long) counts[dataset]) {
        throw IndexCache.damaged(
            cache.file(DATASET_SAMPLE_INDEX),
            0,
            "entry " + k,
            (long) counts[dataset] + ", the next of dataset " + dataset,
            sample);
      }
      counts[dataset]++;
    }
    return index;
  }

  /** Whether a choice is the best or as good: processors that fuse operations decide ties anew. */
  private static boolean isChoice(
      double[] shares, double[] counts, long[] sizes, long k, int chosen, boolean exhaustive) {
    double q = Math.max(k, 1);
    double error = shares[chosen] * q - counts[chosen];
    for (int i = 0; i < shares.length; i++) {
      boolean usedUp = exhaustive && counts[i] == sizes[i];
      if (!usedUp && shares[i] * q - counts[i] > error + CHOICE_TOLERANCE * q) {
        return false;
      }
    }
    return true;
  }

  @Override
  public long size() {
    return index.datasetIndex().length();
  }

  @Override
  public GptSample sample(long sampleIndex) throws IOException {
    return datasets.get(datasetOf(sampleIndex)).sample(index.datasetSampleIndex().get(sampleIndex));
  }

  @Override
  public SampleOrigin origin(long sampleIndex) throws IOException {
    int dataset = datasetOf(sampleIndex);
    return datasets.get(dataset).origin(index.datasetSampleIndex().get(sampleIndex)).in(dataset, 0);
  }

  /** Which dataset of the blend a sample comes from; Megatron's {@code dataset_id}. */
  public int datasetOf(long sampleIndex) {
    return (int) index.datasetIndex().get(Objects.checkIndex(sampleIndex, size()));
  }

  BlendIndex index() {
    return index;
  }

  /** The datasets, in the order of the blend. */
  public List<GptDataset> datasets() {
    return datasets;
  }

  /**
   * How many of the samples before {@code end} come from each dataset; reads that part of the index
   * once.
   */
  public long[] consumed(long end) {
    Objects.checkFromToIndex(0, end, size());
    return index.counts(datasets.size(), end);
  }

  @Override
  public String description() {
    return description;
  }

  @Override
  public void close() {
    datasets.forEach(GptDataset::close);
  }
}
