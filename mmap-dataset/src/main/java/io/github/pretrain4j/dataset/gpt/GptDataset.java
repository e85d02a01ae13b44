package io.github.pretrain4j.dataset.gpt;

import io.github.pretrain4j.dataset.CorruptDatasetException;
import io.github.pretrain4j.dataset.IndexedDataset;
import io.github.pretrain4j.dataset.storage.Scope;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.Objects;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * One split of a dataset as samples of {@code seqLength} tokens, in the order in which Megatron's
 * {@code GPTDataset} serves them.
 *
 * <p>The split's sequences are repeated for as many epochs as the requested samples need, shuffled,
 * joined, cut into samples, and the samples shuffled. If less than 80% of the last epoch is needed,
 * it is shuffled by itself, so that no sequence occurs twice before every sequence has occurred.
 * There may be more samples than requested. Seed, lengths and counts decide everything.
 *
 * <p>Thread-safe. Each object has the dataset open for itself and closes it.
 */
public final class GptDataset implements SampleDataset {
  /** In place of a number of samples: as many as one epoch has. */
  public static final long ONE_EPOCH = -1;

  /** In place of a number of samples: the split is not wanted. */
  public static final long NOT_WANTED = -2;

  static final int TRAIN = 0;
  static final int VALID = 1;
  static final int TEST = 2;
  private static final String[] SPLITS = {"train", "valid", "test"};
  private static final int LENGTHS_AT_ONCE = 1 << 16;

  private final IndexedDataset sequences;
  private final GptDatasetConfig config;
  private final GptIndex.Plan plan;
  private final GptIndex index;
  private final boolean padsLastSample;
  private final String description;
  private final Path sampleIndexOrigin;

  private GptDataset(
      IndexedDataset sequences,
      GptDatasetConfig config,
      GptIndex.Plan plan,
      GptIndex index,
      boolean padsLastSample,
      String description,
      Path sampleIndexOrigin) {
    this.sequences = sequences;
    this.config = config;
    this.plan = plan;
    this.index = index;
    this.padsLastSample = padsLastSample;
    this.description = description;
    this.sampleIndexOrigin = sampleIndexOrigin;
  }

  /**
   * The three splits of one dataset. A split is null if the split string gives it nothing, or if it
   * has no tokens and no samples of it were requested.
   */
  public record Splits(
      @Nullable GptDataset train, @Nullable GptDataset valid, @Nullable GptDataset test)
      implements AutoCloseable {
    /** Closes all three. */
    @Override
    public void close() {
      for (GptDataset split : new @Nullable GptDataset[] {train, valid, test}) {
        if (split != null) {
          split.close();
        }
      }
    }
  }

  /**
   * Cuts one dataset into splits of consecutive sequences, by the configuration's split string.
   *
   * @param prefix path of the dataset; as given, it is part of the cache files' names
   * @param config how
   * @param trainSamples samples needed at least, or {@link #ONE_EPOCH}
   * @param validSamples the same for valid
   * @param testSamples the same for test
   * @throws IllegalArgumentException if samples are requested of a split without tokens
   */
  public static Splits build(
      Path prefix, GptDatasetConfig config, long trainSamples, long validSamples, long testSamples)
      throws IOException {
    if (config.split() == null) {
      throw new IllegalArgumentException("no split string: use buildPerSplit");
    }
    String path = prefix.toString();
    return build(
        Path::of,
        new @Nullable String[] {path, path, path},
        config,
        trainSamples,
        validSamples,
        testSamples);
  }

  /**
   * Makes each split from a whole dataset of its own; the configuration has no split string.
   *
   * @param train path of the dataset for training, or null
   * @param valid path of the dataset for validation, or null
   * @param test path of the dataset for testing, or null
   * @param config how
   * @param trainSamples samples needed at least, or {@link #ONE_EPOCH}
   * @param validSamples the same for valid
   * @param testSamples the same for test
   */
  public static Splits buildPerSplit(
      @Nullable Path train,
      @Nullable Path valid,
      @Nullable Path test,
      GptDatasetConfig config,
      long trainSamples,
      long validSamples,
      long testSamples)
      throws IOException {
    if (config.split() != null) {
      throw new IllegalArgumentException("split must be null if each split has its own dataset");
    }
    return build(
        Path::of,
        new @Nullable String[] {path(train), path(valid), path(test)},
        config,
        trainSamples,
        validSamples,
        testSamples);
  }

  private static @Nullable String path(@Nullable Path prefix) {
    return prefix == null ? null : prefix.toString();
  }

  static Splits build(
      Function<String, Path> locate,
      @Nullable String[] paths,
      GptDatasetConfig config,
      long... samples)
      throws IOException {
    SplitMatrix matrix = config.split() == null ? null : SplitMatrix.parse(config.split());
    Scope opened = new Scope();
    @Nullable GptDataset[] built = new @Nullable GptDataset[SPLITS.length];
    try {
      for (int i = 0; i < SPLITS.length; i++) {
        String path = paths[i];
        if (path != null) {
          GptDataset dataset = open(locate, path, config, matrix, i, samples[i]);
          built[i] = dataset;
          if (dataset != null) {
            opened.add(dataset::close);
          }
        }
      }
    } catch (IOException | RuntimeException e) {
      opened.closeAfter(e);
      throw e;
    }
    return new Splits(built[0], built[1], built[2]);
  }

  /**
   * Opens one split of one dataset.
   *
   * @param matrix the shares of the splits, or null if this split has the whole dataset
   * @param samples samples needed at least, or {@link #ONE_EPOCH}
   * @return null if the split has no share, or no tokens while no samples are needed
   */
  static @Nullable GptDataset open(
      Function<String, Path> locate,
      String path,
      GptDatasetConfig config,
      @Nullable SplitMatrix matrix,
      int split,
      long samples)
      throws IOException {
    SplitMatrix.Share share = matrix == null ? SplitMatrix.ALL : matrix.share(split);
    if (share == null) {
      return null;
    }
    if (samples < ONE_EPOCH) {
      throw new IllegalArgumentException(SPLITS[split] + " samples: " + samples);
    }
    IndexedDataset sequences = IndexedDataset.open(locate.apply(path));
    GptDataset dataset = null;
    try {
      String description = describe(path, config, matrix, SPLITS[split], samples);
      dataset = open(sequences, description, config, share, split, samples);
      return dataset;
    } finally {
      if (dataset == null) {
        sequences.close();
      }
    }
  }

  private static @Nullable GptDataset open(
      IndexedDataset sequences,
      String description,
      GptDatasetConfig config,
      SplitMatrix.Share share,
      int split,
      long samples)
      throws IOException {
    long total = sequences.sequenceCount();
    if (total > Integer.MAX_VALUE - 8) {
      throw new IllegalArgumentException(
          sequences.location()
              + " has "
              + total
              + " sequences, more than Megatron's index can hold");
    }
    int first = (int) share.first(total);
    int count = (int) share.last(total) - first;
    long tokens = tokenCount(sequences, first, count);
    if (tokens == 0) {
      if (samples > 0) {
        throw new IllegalArgumentException(
            String.format(
                "the %s split of %s has no tokens (%d of %d sequences), but %d samples are needed of"
                    + " it: give it a larger share",
                SPLITS[split], sequences.location(), count, total, samples));
      }
      return null;
    }
    boolean dropLast = split != VALID || config.dropLastPartialValidationSequence();
    GptIndex.Plan plan =
        GptIndex.Plan.of(
            first,
            count,
            tokens,
            config.seqLength(),
            config.addExtraTokenToSequence() ? 1 : 0,
            samples,
            dropLast);
    GptIndexCache.Builder builder =
        () -> {
          plan.requireBuildable();
          sequences.verifyIndex();
          return GptIndex.build(plan, sequences.sequenceLengths(first, count), config.seed());
        };
    Path directory = cacheDirectory(config, sequences);
    if (directory == null) {
      return new GptDataset(
          sequences,
          config,
          plan,
          builder.build().index(),
          !dropLast,
          description,
          sequences.localIndexFile());
    }
    GptIndexCache cache = new GptIndexCache(directory, config.rules(), description, SPLITS[split]);
    return new GptDataset(
        sequences,
        config,
        plan,
        cache.open(plan, sequences, builder),
        !dropLast,
        description,
        cache.sampleIndexFile());
  }

  private static @Nullable Path cacheDirectory(GptDatasetConfig config, IndexedDataset sequences) {
    return config.cacheBesideDataset()
        ? sequences.prefix().resolve("cache").resolve("GPTDataset_indices")
        : config.cacheDirectory();
  }

  private static long tokenCount(IndexedDataset sequences, int first, int count)
      throws IOException {
    long tokens = 0;
    for (int at = 0; at < count; at += LENGTHS_AT_ONCE) {
      int run = Math.min(LENGTHS_AT_ONCE, count - at);
      for (int length : sequences.sequenceLengths((long) first + at, run)) {
        tokens += length;
      }
    }
    return tokens;
  }

  /** The text whose MD5 names the cache files. */
  private static String describe(
      String path,
      GptDatasetConfig config,
      @Nullable SplitMatrix matrix,
      String split,
      long samples) {
    PythonJson out =
        new PythonJson()
            .beginObject()
            .key("class")
            .string("GPTDataset")
            .key("dataset_path")
            .string(path)
            .key("num_samples");
    if (samples == ONE_EPOCH) {
      out.nullValue();
    } else {
      out.integer(samples);
    }
    out.key("index_split").string(split);
    out.key("random_seed").integer(config.seed());
    out.key("sequence_length").integer(config.seqLength());
    out.key("split");
    if (config.split() == null || matrix == null) {
      out.nullValue().key("split_matrix").nullValue();
    } else {
      out.string(config.split()).key("split_matrix");
      matrix.describe(out);
    }
    return out.key("tokenizer").raw(config.tokenizer().json()).endObject().toString();
  }

  @Override
  public long size() {
    return index.shuffleIndex().length();
  }

  @Override
  public String description() {
    return description;
  }

  /** The prefix of the dataset. */
  public Path prefix() {
    return sequences.prefix();
  }

  /** Tokens of the split: those of one epoch. */
  public long tokenCount() {
    return plan.tokenCount();
  }

  /** Times that each of the split's sequences occurs in all samples together. */
  public long epochs() {
    return plan.epochs();
  }

  /** The sequences that samples are made of. */
  IndexedDataset sequences() {
    return sequences;
  }

  GptIndex.Plan plan() {
    return plan;
  }

  int seqLength() {
    return config.seqLength();
  }

  @Override
  public GptSample sample(long sampleIndex) throws IOException {
    long sample = index.shuffleIndex().get(Objects.checkIndex(sampleIndex, size()));
    int seqLength = config.seqLength();
    int[] text = new int[seqLength + (config.addExtraTokenToSequence() ? 1 : 0)];
    BitSet starts = new BitSet();
    int[] filled = {0};
    parts(
        sample,
        (sequence, offset, length) -> {
          if (length > text.length - filled[0]) {
            throw corruptSample(sample, filled[0] + (long) length);
          }
          if (length > 0) {
            starts.set(filled[0]);
          }
          sequences.read(sequence, offset, length, text, filled[0]);
          filled[0] += length;
        });
    if (filled[0] < text.length) {
      if (!padsLastSample || sample != size() - 1) {
        throw corruptSample(sample, filled[0]);
      }
      Arrays.fill(text, filled[0], text.length, config.padId());
    }
    int[] tokens = Arrays.copyOf(text, seqLength);
    int[] labels;
    if (config.addExtraTokenToSequence()) {
      labels = Arrays.copyOfRange(text, 1, seqLength + 1);
    } else {
      labels = new int[seqLength];
      System.arraycopy(text, 1, labels, 0, seqLength - 1);
      labels[seqLength - 1] = config.padId();
    }
    return masked(tokens, labels, starts);
  }

  @Override
  public SampleOrigin origin(long sampleIndex) throws IOException {
    long sample = index.shuffleIndex().get(Objects.checkIndex(sampleIndex, size()));
    List<SampleOrigin.Part> parts = new ArrayList<>();
    inputParts(
        sampleIndex,
        (sequence, offset, length) ->
            parts.add(new SampleOrigin.Part(sequence, documentOf(sequence), offset, length)));
    return new SampleOrigin(0, 0, sequences.prefix(), sampleIndex, sample, parts);
  }

  /** The parts of sequences that are a sample's input, without the label behind it. */
  void inputParts(long sampleIndex, PartVisitor visitor) throws IOException {
    long sample = index.shuffleIndex().get(Objects.checkIndex(sampleIndex, size()));
    int[] left = {config.seqLength()};
    parts(
        sample,
        (sequence, offset, length) -> {
          int input = Math.min(length, left[0]);
          left[0] -= input;
          if (input > 0) {
            visitor.part(sequence, offset, input);
          }
        });
  }

  /** The document of a sequence: the last one that begins at or before it. */
  private long documentOf(long sequence) throws IOException {
    long low = 0;
    long high = sequences.documentCount() - 1;
    while (low < high) {
      long middle = (low + high + 1) >>> 1;
      if (sequences.firstSequence(middle) <= sequence) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    return low;
  }

  /** Told of some tokens of one sequence. */
  interface PartVisitor {
    void part(long sequence, int offset, int length) throws IOException;
  }

  /** Goes through the parts of a sample, given by its place in the unshuffled order. */
  private void parts(long sample, PartVisitor visitor) throws IOException {
    IndexArray rows = index.sampleIndex();
    long position = rows.get(2 * sample);
    long lastPosition = rows.get(2 * sample + 2);
    int extra = config.addExtraTokenToSequence() ? 1 : 0;
    int offset = Math.toIntExact(rows.get(2 * sample + 1));
    for (; position <= lastPosition; position++) {
      long sequence = index.documentIndex().get(position);
      int length = sequences.sequenceLength(sequence);
      long end = position == lastPosition ? rows.get(2 * sample + 3) + extra : length;
      if (end > length || offset > end) {
        throw corruptSample(sample, end - offset);
      }
      visitor.part(sequence, offset, (int) end - offset);
      offset = 0;
    }
  }

  private CorruptDatasetException corruptSample(long sample, long tokens) {
    return new CorruptDatasetException(
        sampleIndexOrigin,
        0,
        "sample " + sample,
        config.seqLength() + (config.addExtraTokenToSequence() ? 1 : 0) + " tokens",
        tokens);
  }

  /**
   * Adds masks and positions; replaces padding by id 0, which every model has.
   *
   * @param starts where the parts of the sample begin
   */
  private GptSample masked(int[] tokens, int[] labels, BitSet starts) {
    int length = tokens.length;
    float[] lossMask = new float[length];
    int[] positionIds = new int[length];
    int[] attentionStarts = new int[length];
    int documentStart = 0;
    int partStart = 0;
    int pad = config.padId();
    for (int i = 0; i < length; i++) {
      boolean eod = tokens[i] == config.eodId();
      lossMask[i] = (eod && config.eodMaskLoss()) || labels[i] == pad ? 0 : 1;
      if (config.interDocumentMasking()) {
        partStart = starts.get(i) ? i : partStart;
        positionIds[i] = i - partStart;
        attentionStarts[i] = partStart;
      } else {
        positionIds[i] = config.resetPositionIds() ? i - documentStart : i;
        attentionStarts[i] = config.resetAttentionMask() ? documentStart : 0;
      }
      if (eod) {
        documentStart = i + 1;
      }
      if (tokens[i] == pad) {
        tokens[i] = 0;
      }
      if (labels[i] == pad) {
        labels[i] = 0;
      }
    }
    return new GptSample(tokens, labels, lossMask, positionIds, attentionStarts);
  }

  /** Closes the dataset. Idempotent. */
  @Override
  public void close() {
    sequences.close();
  }
}
