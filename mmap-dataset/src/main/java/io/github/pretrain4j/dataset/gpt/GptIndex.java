package io.github.pretrain4j.dataset.gpt;

import io.github.pretrain4j.dataset.IndexedDataset;

/**
 * The three arrays that say which tokens each sample of a GPT dataset has, in Megatron's order.
 *
 * @param documentIndex the split's sequences, once per epoch, shuffled
 * @param sampleIndex pairs (position in documentIndex, token offset): sample r goes from pair r to
 *     pair r + 1
 * @param shuffleIndex the order in which samples are served
 */
record GptIndex(IndexArray documentIndex, IndexArray sampleIndex, IndexArray shuffleIndex) {

  /**
   * What the arrays depend on besides the lengths of the sequences.
   *
   * @param firstSequence the split's first sequence
   * @param sequenceCount its number of sequences
   * @param tokenCount its number of tokens, T
   * @param seqLength tokens of a sample, S
   * @param extraTokens 1 if consecutive samples share a token, else 0
   * @param epochs times that each sequence occurs, E
   * @param sampleCount samples cut from all epochs
   * @param lastEpochApart whether the last epoch is shuffled by itself
   * @param firstShuffled samples that are shuffled among themselves before the rest is: all of them
   *     unless the last epoch is kept apart
   */
  record Plan(
      long firstSequence,
      int sequenceCount,
      long tokenCount,
      int seqLength,
      int extraTokens,
      long epochs,
      long sampleCount,
      boolean lastEpochApart,
      long firstShuffled) {

    /** The last epoch counts as short, and is kept apart, if less than this part is needed. */
    private static final double SHORT_LAST_EPOCH = 0.80;

    /** What a Java array can hold. */
    private static final int ARRAY_LIMIT = Integer.MAX_VALUE - 8;

    /**
     * Plans a split.
     *
     * @param requestedSamples number wanted at least, or {@link GptDataset#ONE_EPOCH}
     * @param dropLast whether to drop, not pad, what is left at the end
     */
    static Plan of(
        long firstSequence,
        int sequenceCount,
        long tokenCount,
        int seqLength,
        int extraTokens,
        long requestedSamples,
        boolean dropLast) {
      long epochs = 1;
      long apart = -1;
      if (requestedSamples != GptDataset.ONE_EPOCH) {
        long tokens =
            Math.addExact(Math.multiplyExact(requestedSamples, (long) seqLength), extraTokens);
        epochs = Math.max(1, Math.floorDiv(tokens - 1, tokenCount) + 1);
      }
      if (epochs > 1) {
        long before =
            Math.floorDiv(
                Math.multiplyExact(epochs - 1, tokenCount) - extraTokens, (long) seqLength);
        long last = requestedSamples - before;
        long perEpoch = Math.floorDiv(tokenCount - extraTokens, (long) seqLength);
        if (last < 0 || last > perEpoch + 1) {
          throw new IllegalStateException(
              last + " samples from the last of " + epochs + " epochs of " + perEpoch);
        }
        if (last < (long) (SHORT_LAST_EPOCH * (double) perEpoch)) {
          apart = before;
        }
      }
      long covered = Math.multiplyExact(epochs, tokenCount) - extraTokens;
      // The padded count is computed in float, as the reference does, which is inexact over 2^24.
      long samples =
          dropLast ? covered / seqLength : (long) Math.ceil((float) covered / (float) seqLength);
      return new Plan(
          firstSequence,
          sequenceCount,
          tokenCount,
          seqLength,
          extraTokens,
          epochs,
          samples,
          apart >= 0,
          apart < 0 ? samples : apart);
    }

    long positionCount() {
      return Math.multiplyExact(epochs, (long) sequenceCount);
    }

    /** Built indices are arrays; those of a cache may be longer. */
    void requireBuildable() {
      if (positionCount() > ARRAY_LIMIT || sampleCount >= ARRAY_LIMIT) {
        throw new IllegalArgumentException(
            epochs
                + " epochs of "
                + sequenceCount
                + " sequences ("
                + sampleCount
                + " samples) are more than the 2^31 that can be built here: split the dataset, or"
                + " let Megatron build the cache");
      }
    }
  }

  /** The lengths of sequences at consecutive positions of a document index. */
  interface Lengths {
    /** The lengths of {@code count} positions from {@code position} on. */
    void gather(long position, int count, int[] into);
  }

  /** The arrays as built. */
  @SuppressWarnings("ArrayRecordComponent") // a carrier of arrays, never compared
  record Built(int[] documentIndex, long[] sampleIndex, int[] shuffleIndex) {
    GptIndex index() {
      return new GptIndex(
          IndexArray.of(documentIndex),
          IndexArray.ofPairs(sampleIndex),
          IndexArray.of(shuffleIndex));
    }
  }

  /**
   * Builds the arrays.
   *
   * @param lengths tokens of each of the split's sequences
   */
  static Built build(Plan plan, int[] lengths, long seed) {
    plan.requireBuildable();
    NumpyRandom random = new NumpyRandom(seed);
    int[] documentIndex = documentIndex(plan, random);
    long[] sampleIndex = sampleIndex(plan, documentIndex, lengths);
    return new Built(documentIndex, sampleIndex, shuffleIndex(plan, random));
  }

  static int[] documentIndex(Plan plan, NumpyRandom random) {
    int[] documentIndex = new int[Math.toIntExact(plan.positionCount())];
    int first = Math.toIntExact(plan.firstSequence());
    int count = plan.sequenceCount();
    for (int epoch = 0; epoch < documentIndex.length; epoch += count) {
      for (int i = 0; i < count; i++) {
        documentIndex[epoch + i] = first + i;
      }
    }
    int apart = documentIndex.length - (plan.lastEpochApart() ? count : 0);
    random.shuffle(documentIndex, 0, apart);
    random.shuffle(documentIndex, apart, documentIndex.length - apart);
    return documentIndex;
  }

  static int[] shuffleIndex(Plan plan, NumpyRandom random) {
    int[] shuffleIndex = new int[Math.toIntExact(plan.sampleCount())];
    for (int i = 0; i < shuffleIndex.length; i++) {
      shuffleIndex[i] = i;
    }
    int apart = Math.toIntExact(plan.firstShuffled());
    random.shuffle(shuffleIndex, 0, apart);
    random.shuffle(shuffleIndex, apart, shuffleIndex.length - apart);
    return shuffleIndex;
  }

  /** One long a row: the position in its low half, the offset in its high half. */
  static long[] sampleIndex(Plan plan, int[] documentIndex, int[] lengths) {
    int first = Math.toIntExact(plan.firstSequence());
    SampleWalk walk =
        new SampleWalk(
            plan,
            (position, count, into) -> {
              int from = (int) position;
              for (int i = 0; i < count; i++) {
                into[i] = lengths[documentIndex[from + i] - first];
              }
            });
    long[] rows = new long[Math.toIntExact(plan.sampleCount() + 1)];
    for (int row = 1; row < rows.length; row++) {
      walk.next();
      rows[row] = walk.position() | ((long) walk.offset() << Integer.SIZE);
    }
    return rows;
  }

  /** The lengths as a dataset has them, in the order of this index. */
  Lengths lengths(IndexedDataset sequences) {
    int[] documents = new int[SampleWalk.BLOCK];
    return (position, count, into) -> {
      documentIndex.copy(position, documents, count);
      for (int i = 0; i < count; i++) {
        into[i] = sequences.sequenceLength(documents[i]);
      }
    };
  }

  /**
   * Walks from sample to sample through the shuffled sequences. Not thread-safe.
   *
   * <p>Lengths are fetched in blocks before they are needed: they lie all over memory, and fetching
   * many that do not wait for each other is several times as fast as one by one.
   */
  static final class SampleWalk {
    static final int BLOCK = 1 << 10;

    private final Lengths lengths;
    private final int[] block = new int[BLOCK];
    private final long positionCount;
    private final long sampleCount;
    private final int sampleTokens;
    private final int extra;
    private long blockStart;
    private int inBlock;
    private int blockCount;
    private int offset;
    private long row;

    SampleWalk(Plan plan, Lengths lengths) {
      this.lengths = lengths;
      this.positionCount = plan.positionCount();
      this.sampleCount = plan.sampleCount();
      this.sampleTokens = Math.addExact(plan.seqLength(), plan.extraTokens());
      this.extra = plan.extraTokens();
      fetch(0);
    }

    private void fetch(long position) {
      blockStart = position;
      inBlock = 0;
      blockCount = (int) Math.min(BLOCK, positionCount - position);
      lengths.gather(position, blockCount, block);
    }

    /** Where the next sample begins: position in the document index. */
    long position() {
      return blockStart + inBlock;
    }

    /** Where it begins: first token in that sequence. */
    int offset() {
      return offset;
    }

    /** Goes over one sample. */
    void next() {
      row++;
      int remaining = sampleTokens;
      int at = inBlock;
      int from = offset;
      while (true) {
        int available = block[at] - from;
        if (remaining <= available) {
          offset = from + remaining - extra;
          inBlock = at;
          return;
        }
        remaining -= available;
        from = 0;
        if (++at == blockCount) {
          if (blockStart + at == positionCount) {
            inBlock = at - 1;
            offset = endOfText(block[at - 1]);
            return;
          }
          fetch(blockStart + at);
          at = 0;
        }
      }
    }

    /** What is left is a short last sample. */
    private int endOfText(int length) {
      int end = length - extra;
      if (row != sampleCount || end < 0) {
        throw new IllegalStateException("the tokens end in sample " + row + " of " + sampleCount);
      }
      return end;
    }
  }
}
