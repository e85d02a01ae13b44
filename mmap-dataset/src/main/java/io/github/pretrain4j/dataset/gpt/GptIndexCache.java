package io.github.pretrain4j.dataset.gpt;

import io.github.pretrain4j.dataset.CorruptDatasetException;
import io.github.pretrain4j.dataset.IndexedDataset;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;

/**
 * The files that keep a {@link GptIndex}, by Megatron's names and with Megatron's bytes: see
 * package-info.
 *
 * <p>Megatron's names leave out whether samples share a token and what the dataset holds, and
 * Megatron trusts whatever has the right name. Here every entry is checked when a cache is opened:
 * each sequence occurs once an epoch, the samples begin where the lengths of this dataset put them,
 * and each sample is served once. A cache that does not fit is an error that names the file and the
 * entry, never silently used and never silently replaced: another run may be using it.
 */
final class GptIndexCache {
  private static final String DOCUMENT_INDEX = "document_index.npy";
  private static final String SAMPLE_INDEX = "sample_index.npy";
  private static final String SHUFFLE_INDEX = "shuffle_index.npy";

  private final IndexCache cache;

  /**
   * The cache of one dataset.
   *
   * @param description all that the arrays depend on, as Megatron writes it
   * @param split {@code train}, {@code valid} or {@code test}
   */
  GptIndexCache(Path directory, MegatronRules rules, String description, String split) {
    this.cache =
        new IndexCache(
            directory,
            IndexCache.hash(description) + "-GPTDataset-" + rules.splitInNames(split),
            description,
            DOCUMENT_INDEX,
            SAMPLE_INDEX,
            SHUFFLE_INDEX);
  }

  Path sampleIndexFile() {
    return cache.file(SAMPLE_INDEX);
  }

  /** Builds the arrays when there is no cache. */
  interface Builder {
    GptIndex.Built build() throws IOException;
  }

  /** The arrays, mapped. */
  GptIndex open(GptIndex.Plan plan, IndexedDataset sequences, Builder builder) throws IOException {
    return cache.open(
        () -> read(plan, sequences),
        () -> {
          GptIndex.Built built = builder.build();
          return Map.of(
              DOCUMENT_INDEX,
              out -> NpyFile.write(out, NpyFile.Type.INT32, built.documentIndex()),
              SAMPLE_INDEX,
              out -> NpyFile.writePairs(out, built.sampleIndex()),
              SHUFFLE_INDEX,
              out -> NpyFile.write(out, NpyFile.Type.UINT32, built.shuffleIndex()));
        });
  }

  private GptIndex read(GptIndex.Plan plan, IndexedDataset sequences) throws IOException {
    GptIndex index =
        new GptIndex(
            NpyFile.open(cache.file(DOCUMENT_INDEX), plan.positionCount(), 0, NpyFile.Type.INT32),
            NpyFile.open(
                sampleIndexFile(),
                plan.sampleCount() + 1,
                2,
                NpyFile.Type.INT32,
                NpyFile.Type.INT64),
            NpyFile.open(
                cache.file(SHUFFLE_INDEX),
                plan.sampleCount(),
                0,
                NpyFile.Type.UINT32,
                NpyFile.Type.INT64));
    checkDocuments(plan, index.documentIndex());
    checkSamples(plan, index, sequences);
    checkShuffle(plan, index.shuffleIndex());
    return index;
  }

  /** Each sequence occurs once per epoch: compared by sums, so that order does not matter. */
  private void checkDocuments(GptIndex.Plan plan, IndexArray documents)
      throws CorruptDatasetException {
    long sum = 0;
    long squares = 0;
    long first = plan.firstSequence();
    long end = first + plan.sequenceCount();
    for (long i = 0; i < documents.length(); i++) {
      long document = documents.get(i);
      if (document < first || document >= end) {
        throw IndexCache.damaged(
            cache.file(DOCUMENT_INDEX), 0, "entry " + i, first + " to " + (end - 1), document);
      }
      sum += document;
      squares += document * document;
    }
    long expectedSum = 0;
    long expectedSquares = 0;
    for (long document = first; document < end; document++) {
      expectedSum += document;
      expectedSquares += document * document;
    }
    if (sum != expectedSum * plan.epochs() || squares != expectedSquares * plan.epochs()) {
      throw IndexCache.damaged(
          cache.file(DOCUMENT_INDEX),
          0,
          "sequences",
          "each sequence " + plan.epochs() + " times",
          "some more often than others");
    }
  }

  /** Samples begin where the lengths say. */
  private void checkSamples(GptIndex.Plan plan, GptIndex index, IndexedDataset sequences)
      throws CorruptDatasetException {
    GptIndex.SampleWalk walk = new GptIndex.SampleWalk(plan, index.lengths(sequences));
    for (long row = 0; row <= plan.sampleCount(); row++) {
      if (row > 0) {
        walk.next();
      }
      long position = index.sampleIndex().get(2 * row);
      long offset = index.sampleIndex().get(2 * row + 1);
      if (position != walk.position() || offset != walk.offset()) {
        throw IndexCache.damaged(
            sampleIndexFile(),
            0,
            "row " + row,
            "position "
                + walk.position()
                + ", offset "
                + walk.offset()
                + " for the sequences of "
                + sequences.prefix()
                + (plan.extraTokens() == 1 ? " with" : " without")
                + " an extra token",
            position + ", " + offset);
      }
    }
  }

  /** Each sample is served once, those of a last epoch kept apart after the others. */
  private void checkShuffle(GptIndex.Plan plan, IndexArray shuffle) throws CorruptDatasetException {
    long[] seen = new long[Math.toIntExact((plan.sampleCount() + 63) / 64)];
    for (long i = 0; i < shuffle.length(); i++) {
      long value = shuffle.get(i);
      boolean apart = i >= plan.firstShuffled();
      long from = apart ? plan.firstShuffled() : 0;
      long end = apart ? plan.sampleCount() : plan.firstShuffled();
      if (value < from || value >= end || (seen[(int) (value >> 6)] >>> value & 1) != 0) {
        throw IndexCache.damaged(
            cache.file(SHUFFLE_INDEX),
            0,
            "entry " + i,
            "a number in " + from + ".." + (end - 1) + " that did not occur before",
            value);
      }
      seen[(int) (value >> 6)] |= 1L << value;
    }
  }
}
