package io.github.pretrain4j.dataset;

import java.io.IOException;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;

/**
 * What a dataset holds, in numbers.
 *
 * @param type what one token is in the data file
 * @param hasModes whether it is multimodal
 * @param documents documents, empty ones included
 * @param emptyDocuments documents without a sequence, which samples never see
 * @param sequences sequences, empty ones included
 * @param tokens tokens
 * @param sequenceLengths how long the sequences are, in tokens
 * @param vocabulary which ids occur, if that was asked for
 */
public record DatasetStatistics(
    TokenType type,
    boolean hasModes,
    long documents,
    long emptyDocuments,
    long sequences,
    long tokens,
    Lengths sequenceLengths,
    @Nullable VocabularyUse vocabulary) {

  /**
   * A distribution of lengths; all 0 if there is none. A percentile is the smallest length that so
   * many of a hundred lengths do not exceed; exact.
   */
  public record Lengths(int minimum, double mean, int p50, int p95, int p99, int maximum) {}

  /**
   * Which ids occur.
   *
   * @param size ids of the vocabulary
   * @param used how many of them occur
   * @param outside tokens that are none of them
   * @param mostFrequent the id that occurs most, or -1
   * @param mostFrequentCount how often
   */
  public record VocabularyUse(
      int size, long used, long outside, int mostFrequent, long mostFrequentCount) {}

  private static final int CHUNK = 1 << 14;
  private static final int HALF_BITS = 16;
  private static final int HALF = 1 << HALF_BITS;

  /**
   * Counts; reads the index twice, and the tokens if a vocabulary size is given.
   *
   * @param vocabularySize number of ids of the tokenizer
   * @throws CorruptDatasetException if the index contradicts itself, or a token is no {@code int}
   */
  public static DatasetStatistics of(IndexedDataset dataset, OptionalInt vocabularySize)
      throws IOException {
    dataset.verifyIndex();
    long empty = 0;
    for (long d = 0; d < dataset.documentCount(); d++) {
      if (dataset.firstSequence(d) == dataset.firstSequence(d + 1)) {
        empty++;
      }
    }
    return new DatasetStatistics(
        dataset.tokenType(),
        dataset.hasModes(),
        dataset.documentCount(),
        empty,
        dataset.sequenceCount(),
        dataset.tokenCount(),
        lengths(dataset),
        vocabularySize.isPresent() ? use(dataset, vocabularySize.getAsInt()) : null);
  }

  private interface LengthConsumer {
    void accept(int length);
  }

  private static void forEachLength(IndexedDataset dataset, LengthConsumer consumer)
      throws IOException {
    long count = dataset.sequenceCount();
    for (long first = 0; first < count; first += CHUNK) {
      for (int length : dataset.sequenceLengths(first, (int) Math.min(CHUNK, count - first))) {
        consumer.accept(length);
      }
    }
  }

  /** Two passes, by the upper and then the lower half of a length: memory is fixed. */
  private static Lengths lengths(IndexedDataset dataset) throws IOException {
    long count = dataset.sequenceCount();
    if (count == 0) {
      return new Lengths(0, 0, 0, 0, 0, 0);
    }
    long[] upper = new long[HALF];
    int[] ends = {Integer.MAX_VALUE, 0};
    forEachLength(
        dataset,
        length -> {
          upper[length >>> HALF_BITS]++;
          ends[0] = Math.min(ends[0], length);
          ends[1] = Math.max(ends[1], length);
        });
    int[] percents = {50, 95, 99};
    long[] ranks = new long[percents.length];
    int[] halves = new int[percents.length];
    long[][] lower = new long[percents.length][HALF];
    for (int p = 0; p < percents.length; p++) {
      // the smallest rank of at least percent * count / 100, from 1 on
      long rank = count / 100 * percents[p] + (count % 100 * percents[p] + 99) / 100;
      halves[p] = bucket(upper, rank);
      ranks[p] = rank - before(upper, halves[p]);
    }
    forEachLength(
        dataset,
        length -> {
          for (int p = 0; p < halves.length; p++) {
            if (length >>> HALF_BITS == halves[p]) {
              lower[p][length & (HALF - 1)]++;
            }
          }
        });
    int[] found = new int[percents.length];
    for (int p = 0; p < percents.length; p++) {
      found[p] = halves[p] << HALF_BITS | bucket(lower[p], ranks[p]);
    }
    double mean = (double) dataset.tokenCount() / count;
    return new Lengths(ends[0], mean, found[0], found[1], found[2], ends[1]);
  }

  /** The bucket in which the value of this rank, from 1 on, lies. */
  private static int bucket(long[] counts, long rank) {
    long seen = 0;
    for (int i = 0; i < counts.length; i++) {
      seen += counts[i];
      if (seen >= rank) {
        return i;
      }
    }
    throw new IllegalStateException("the index changed while it was read");
  }

  private static long before(long[] counts, int bucket) {
    long seen = 0;
    for (int i = 0; i < bucket; i++) {
      seen += counts[i];
    }
    return seen;
  }

  private static VocabularyUse use(IndexedDataset dataset, int size) throws IOException {
    if (size < 1) {
      throw new IllegalArgumentException("vocabulary size must be positive: " + size);
    }
    long[] counts = new long[size];
    long outside = 0;
    TokenSpan tokens = dataset.allTokens();
    int[] chunk = new int[CHUNK];
    for (long at = 0; at < tokens.length(); at += CHUNK) {
      int some = (int) Math.min(CHUNK, tokens.length() - at);
      tokens.copyTo(at, chunk, 0, some);
      for (int i = 0; i < some; i++) {
        if (chunk[i] >= 0 && chunk[i] < size) {
          counts[chunk[i]]++;
        } else {
          outside++;
        }
      }
    }
    long used = 0;
    int most = -1;
    for (int id = 0; id < size; id++) {
      if (counts[id] > 0) {
        used++;
        most = most < 0 || counts[id] > counts[most] ? id : most;
      }
    }
    return new VocabularyUse(size, used, outside, most, most < 0 ? 0 : counts[most]);
  }
}
