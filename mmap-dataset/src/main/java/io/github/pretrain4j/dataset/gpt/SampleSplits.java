package io.github.pretrain4j.dataset.gpt;

import io.github.pretrain4j.dataset.storage.Scope;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * The three splits of a run's data, each one dataset or a blend, as Megatron's {@code
 * BlendedMegatronDatasetBuilder} makes them.
 *
 * <table>
 * <caption>What a split becomes</caption>
 * <tr><th>datasets</th><th>weights</th><th>samples</th><th>becomes</th></tr>
 * <tr><td>one</td><td>no</td><td>any</td><td>the {@link GptDataset} itself</td></tr>
 * <tr><td>one</td><td>yes</td><td>n</td><td>a blend of one; of blends per split the {@link
 *     GptDataset} itself</td></tr>
 * <tr><td>several</td><td>yes</td><td>n</td><td>a blend of about n samples</td></tr>
 * <tr><td>several</td><td>yes</td><td>{@link GptDataset#ONE_EPOCH}</td><td>an error</td></tr>
 * <tr><td>several</td><td>no</td><td>n</td><td>one epoch of each in proportion to their sizes, n
 *     samples or as many as there are</td></tr>
 * <tr><td>several</td><td>no</td><td>{@link GptDataset#ONE_EPOCH}</td><td>one epoch of each,
 *     all of it</td></tr>
 * </table>
 *
 * <p>A split is null if it is {@link GptDataset#NOT_WANTED}, has no blend or no share, or if no
 * samples of it are asked for and one of its datasets has too few tokens for one.
 */
public record SampleSplits(
    @Nullable SampleDataset train, @Nullable SampleDataset valid, @Nullable SampleDataset test)
    implements AutoCloseable {
  private static final List<String> NAMES = List.of("train", "valid", "test");

  /** Closes all three. */
  @Override
  public void close() {
    for (SampleDataset split : new @Nullable SampleDataset[] {train, valid, test}) {
      if (split != null) {
        split.close();
      }
    }
  }

  /**
   * Cuts each dataset of one blend into splits of consecutive sequences, by the configuration's
   * split string.
   *
   * @param trainSamples samples needed at least, or {@link GptDataset#ONE_EPOCH}
   * @param validSamples the same for valid
   * @param testSamples the same for test
   * @throws IllegalArgumentException if samples are needed of a split without tokens
   */
  public static SampleSplits build(
      Blend blend, GptDatasetConfig config, long trainSamples, long validSamples, long testSamples)
      throws IOException {
    if (config.split() == null) {
      throw new IllegalArgumentException("no split string: use buildPerSplit");
    }
    return build(Path::of, blend, config, trainSamples, validSamples, testSamples);
  }

  /**
   * Makes each split from whole datasets of its own; the configuration has no split string.
   *
   * @param trainSamples samples needed at least, or {@link GptDataset#ONE_EPOCH}
   * @param validSamples the same for valid
   * @param testSamples the same for test
   */
  public static SampleSplits buildPerSplit(
      Blend.PerSplit blends,
      GptDatasetConfig config,
      long trainSamples,
      long validSamples,
      long testSamples)
      throws IOException {
    return buildPerSplit(Path::of, blends, config, trainSamples, validSamples, testSamples);
  }

  /**
   * Makes a validation set of each dataset of a blend, whatever its weight; Megatron's {@code
   * multiple_validation_sets}.
   *
   * @param samples samples needed of each at least; {@link GptDataset#ONE_EPOCH} for full
   *     validation
   * @throws IllegalArgumentException if a dataset has no tokens
   */
  public static List<GptDataset> validationSets(Blend blend, GptDatasetConfig config, long samples)
      throws IOException {
    requireNoSplit(config);
    long[] sizes = new long[blend.members().size()];
    Arrays.fill(sizes, samples);
    List<GptDataset> sets = members(Path::of, blend, config, null, GptDataset.VALID, sizes);
    if (sets.size() < sizes.length) {
      sets.forEach(GptDataset::close);
      throw new IllegalArgumentException("a validation set has no tokens");
    }
    return sets;
  }

  private static void requireNoSplit(GptDatasetConfig config) {
    if (config.split() != null) {
      throw new IllegalArgumentException("split must be null if each split has its own datasets");
    }
  }

  /**
   * Builds the splits of one blend.
   *
   * @param locate where a path leads, which is also part of the cache files' names; tests move it
   */
  static SampleSplits build(
      Function<String, Path> locate, Blend blend, GptDatasetConfig config, long... samples)
      throws IOException {
    SplitMatrix matrix = SplitMatrix.parse(String.valueOf(config.split()));
    return build(
        split ->
            matrix.share(split) == null
                ? null
                : split(locate, blend, config, matrix, split, samples[split]));
  }

  /** Builds splits with a blend each. */
  static SampleSplits buildPerSplit(
      Function<String, Path> locate,
      Blend.PerSplit blends,
      GptDatasetConfig config,
      long... samples)
      throws IOException {
    requireNoSplit(config);
    @Nullable Blend[] each = {blends.train(), blends.valid(), blends.test()};
    return build(
        split -> {
          Blend blend = each[split];
          return blend == null ? null : split(locate, blend, config, null, split, samples[split]);
        });
  }

  private interface SplitBuilder {
    @Nullable SampleDataset build(int split) throws IOException;
  }

  private static SampleSplits build(SplitBuilder builder) throws IOException {
    Scope opened = new Scope();
    @Nullable SampleDataset[] built = new @Nullable SampleDataset[NAMES.size()];
    try {
      for (int split = 0; split < built.length; split++) {
        SampleDataset dataset = builder.build(split);
        built[split] = dataset;
        if (dataset != null) {
          opened.add(dataset::close);
        }
      }
    } catch (IOException | RuntimeException e) {
      opened.closeAfter(e);
      throw e;
    }
    return new SampleSplits(built[0], built[1], built[2]);
  }

  static @Nullable SampleDataset split(
      Function<String, Path> locate,
      Blend blend,
      GptDatasetConfig config,
      @Nullable SplitMatrix matrix,
      int split,
      long samples)
      throws IOException {
    if (samples == GptDataset.NOT_WANTED) {
      return null;
    }
    if (samples < GptDataset.ONE_EPOCH) {
      throw new IllegalArgumentException(NAMES.get(split) + " samples: " + samples);
    }
    if (isNoBlend(blend, config)) {
      String path = blend.members().get(0).prefix();
      return GptDataset.open(locate, path, config, matrix, split, samples);
    }
    double[] weights = blend.isWeighted() ? BlendIndex.normalize(blend.weights()) : null;
    long[] sizes = memberSamples(blend, config, samples);
    List<GptDataset> members = members(locate, blend, config, matrix, split, sizes);
    BlendedDataset blended = null;
    try {
      boolean allHaveTokens = members.size() == sizes.length;
      if (samples == 0 && !(allHaveTokens && members.stream().allMatch(m -> m.size() > 0))) {
        return null;
      }
      if (!allHaveTokens) {
        throw new IllegalArgumentException(
            "a dataset of the blend has no tokens for the "
                + NAMES.get(split)
                + " split: leave it out, or give the split a larger share");
      }
      long size = weights == null ? samples : blendSize(weights, samples, config);
      long total = members.stream().mapToLong(GptDataset::size).sum();
      if (weights == null && samples != GptDataset.ONE_EPOCH) {
        size = Math.min(size, total);
      }
      blended = BlendedDataset.of(members, weights, size, NAMES.get(split), config);
      return blended;
    } finally {
      if (blended == null) {
        members.forEach(GptDataset::close);
      }
    }
  }

  /** Samples that each dataset of a blend is made for. */
  static long[] memberSamples(Blend blend, GptDatasetConfig config, long samples) {
    long[] sizes = new long[blend.members().size()];
    if (isNoBlend(blend, config)) {
      sizes[0] = samples;
    } else if (!blend.isWeighted()) {
      Arrays.fill(sizes, GptDataset.ONE_EPOCH);
    } else if (samples == GptDataset.ONE_EPOCH) {
      throw new IllegalArgumentException("a blend with weights needs a number of samples");
    } else {
      double[] weights = BlendIndex.normalize(blend.weights());
      for (int i = 0; i < sizes.length; i++) {
        sizes[i] = withReserve(target(samples, weights[i], config), config);
      }
    }
    return sizes;
  }

  /** Whether a blend of one dataset is that dataset. */
  static boolean isNoBlend(Blend blend, GptDatasetConfig config) {
    return blend.members().size() == 1 && (config.split() == null || !blend.isWeighted());
  }

  /** Samples of a blend with these weights. */
  static long blendSize(double[] weights, long samples, GptDatasetConfig config) {
    long size = 0;
    for (double weight : weights) {
      size += target(samples, weight, config);
    }
    return size;
  }

  /** Samples of a blend that are to come from a dataset with this share. */
  private static long target(long samples, double share, GptDatasetConfig config) {
    return switch (config.rules()) {
      case CURRENT -> (long) Math.ceil((double) samples * share);
      case CORE_0_6 ->
          (long) Math.ceil((double) samples * share * (1 + GptDatasetConfig.DEFAULT_SURPLUS));
    };
  }

  /** Samples that this dataset is given, so that it does not run out. */
  private static long withReserve(long target, GptDatasetConfig config) {
    return switch (config.rules()) {
      case CURRENT -> (long) Math.ceil((double) target * (1 + config.midLevelSurplus()));
      case CORE_0_6 -> target;
    };
  }

  /** The datasets of a blend, without those that have no tokens. */
  private static List<GptDataset> members(
      Function<String, Path> locate,
      Blend blend,
      GptDatasetConfig config,
      @Nullable SplitMatrix matrix,
      int split,
      long[] sizes)
      throws IOException {
    List<GptDataset> datasets = new ArrayList<>();
    Scope opened = new Scope();
    try {
      for (int i = 0; i < blend.members().size(); i++) {
        String path = blend.members().get(i).prefix();
        GptDataset dataset = GptDataset.open(locate, path, config, matrix, split, sizes[i]);
        if (dataset != null) {
          opened.add(dataset::close);
          datasets.add(dataset);
        }
      }
    } catch (IOException | RuntimeException e) {
      opened.closeAfter(e);
      throw e;
    }
    return datasets;
  }
}
