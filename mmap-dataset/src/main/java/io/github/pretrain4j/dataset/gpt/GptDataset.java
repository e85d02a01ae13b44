package io.github.pretrain4j.dataset.gpt;

import io.github.pretrain4j.dataset.CorruptDatasetException;
import io.github.pretrain4j.dataset.IndexedDataset;
import io.github.pretrain4j.dataset.storage.Scope;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
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
public final class GptDataset implements AutoCloseable {
  /** In place of a number of samples: as many as one epoch has. */
  public static final long ONE_EPOCH = -1;

  private static final String[] SPLITS = {"train", "valid", "test"};
  private static final int VALID = 1;

  private final IndexedDataset sequences;
  private final GptDatasetConfig config;
  private final GptIndex index;
  private final boolean padsLastSample;
  private final String description;
  private final Path sampleIndexOrigin;

  private GptDataset(
      IndexedDataset sequences,
      GptDatasetConfig config,
      GptIndex index,
      boolean padsLastSample,
      String description,
      Path sampleIndexOrigin) {
    this.sequences = sequences;
    this.config = config;
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

  /**
   * Builds the splits.
   *
   * @param locate where a path leads, which is also part of the cache files' names; tests move it
   * @param paths the prefix for each split, or null
   */
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
        SplitMatrix.Share share = matrix == null ? SplitMatrix.ALL : matrix.share(i);
        if (path != null && share != null) {
          if (samples[i] < ONE_EPOCH) {
            throw new IllegalArgumentException(SPLITS[i] + " samples: " + samples[i]);
          }
          IndexedDataset sequences = IndexedDataset.open(locate.apply(path));
          opened.add(sequences::close);
          String description = describe(path, config, matrix, SPLITS[i], samples[i]);
          built[i] = build(sequences, description, config, share, i, samples[i]);
        }
      }
    } catch (IOException | RuntimeException e) {
      opened.closeAfter(e);
      throw e;
    }
    return new Splits(built[0], built[1], built[2]);
  }

  private static @Nullable GptDataset build(
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
          sequences.prefix() + " has " + total + " sequences, more than Megatron's index can hold");
    }
    int first = (int) share.first(total);
    int count = (int) share.last(total) - first;
    int[] lengths = sequences.sequenceLengths(first, count);
    long tokens = 0;
    for (int length : lengths) {
      tokens += length;
    }
    if (tokens == 0) {
      sequences.close();
      if (samples > 0) {
        throw new IllegalArgumentException(
            String.format(
                "the %s split of %s has no tokens (%d of %d sequences), but %d samples are needed of"
                    + " it: give it a larger share",
                SPLITS[split], sequences.prefix(), count, total, samples));
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
    Path directory = config.cacheDirectory();
    GptIndexCache cache =
        directory == null
            ? null
            : new GptIndexCache(directory, config.cacheNaming(), description, SPLITS[split]);
    GptIndex index = cache == null ? null : cache.read(plan);
    if (index == null) {
      sequences.verifyIndex();
      index = GptIndex.build(plan, lengths, config.seed());
      if (cache != null) {
        cache.write(index);
      }
    }
    return new GptDataset(
        sequences,
        config,
        index,
        !dropLast,
        description,
        cache == null ? IndexedDataset.indexFile(sequences.prefix()) : cache.sampleIndexFile());
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

  /** Number of samples. */
  public long size() {
    return index.shuffleIndex().length;
  }

  /** What the order of samples depends on, as Megatron writes it; its MD5 names the cache files. */
  public String description() {
    return description;
  }

  /**
   * The sample at a place in the shuffled order.
   *
   * @param sampleIndex from 0 to {@code size() - 1}
   */
  public GptSample sample(long sampleIndex) throws IOException {
    Objects.checkIndex(sampleIndex, size());
    int sample = index.shuffleIndex()[(int) sampleIndex];
    int seqLength = config.seqLength();
    int[] text = text(sample);
    int[] tokens = Arrays.copyOf(text, seqLength);
    int[] labels;
    if (config.addExtraTokenToSequence()) {
      labels = Arrays.copyOfRange(text, 1, seqLength + 1);
    } else {
      labels = new int[seqLength];
      System.arraycopy(text, 1, labels, 0, seqLength - 1);
      labels[seqLength - 1] = config.padId();
    }
    return masked(tokens, labels);
  }

  /** The tokens of a sample, the extra one included, padded if they end early. */
  private int[] text(int sample) throws IOException {
    int[] rows = index.sampleIndex();
    int extra = config.addExtraTokenToSequence() ? 1 : 0;
    int[] text = new int[config.seqLength() + extra];
    int position = rows[2 * sample];
    int lastPosition = rows[2 * sample + 2];
    int offset = rows[2 * sample + 1];
    int filled = 0;
    for (; position <= lastPosition; position++) {
      int sequence = index.documentIndex()[position];
      int length = sequences.sequenceLength(sequence);
      int end = position == lastPosition ? rows[2 * sample + 3] + extra : length;
      if (end > length || offset > end || end - offset > text.length - filled) {
        throw corruptSample(sample, filled + (long) end - offset);
      }
      sequences.read(sequence, offset, end - offset, text, filled);
      filled += end - offset;
      offset = 0;
    }
    if (filled < text.length) {
      if (!padsLastSample || sample != index.shuffleIndex().length - 1) {
        throw corruptSample(sample, filled);
      }
      Arrays.fill(text, filled, text.length, config.padId());
    }
    return text;
  }

  private CorruptDatasetException corruptSample(int sample, long tokens) {
    return new CorruptDatasetException(
        sampleIndexOrigin,
        0,
        "sample " + sample,
        config.seqLength() + (config.addExtraTokenToSequence() ? 1 : 0) + " tokens",
        tokens);
  }

  /** Adds masks and positions; replaces padding by id 0, which every model has. */
  private GptSample masked(int[] tokens, int[] labels) {
    int length = tokens.length;
    float[] lossMask = new float[length];
    int[] positionIds = new int[length];
    int[] attentionStarts = new int[length];
    int documentStart = 0;
    int pad = config.padId();
    for (int i = 0; i < length; i++) {
      boolean eod = tokens[i] == config.eodId();
      lossMask[i] = (eod && config.eodMaskLoss()) || labels[i] == pad ? 0 : 1;
      positionIds[i] = config.resetPositionIds() ? i - documentStart : i;
      attentionStarts[i] = config.resetAttentionMask() ? documentStart : 0;
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
