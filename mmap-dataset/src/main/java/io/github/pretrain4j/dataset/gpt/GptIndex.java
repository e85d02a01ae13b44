package io.github.pretrain4j.dataset.gpt;

/**
 * The three arrays that say which tokens each sample of a GPT dataset has, in Megatron's order.
 *
 * @param documentIndex the split's sequences, once per epoch, shuffled
 * @param sampleIndex pairs (position in documentIndex, token offset): sample r goes from pair r to
 *     pair r + 1
 * @param shuffleIndex the order in which samples are served
 */
@SuppressWarnings("ArrayRecordComponent") // a carrier of arrays, never compared
record GptIndex(int[] documentIndex, int[] sampleIndex, int[] shuffleIndex) {

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
      int firstSequence,
      int sequenceCount,
      long tokenCount,
      int seqLength,
      int extraTokens,
      int epochs,
      int sampleCount,
      boolean lastEpochApart,
      int firstShuffled) {

    /** The last epoch counts as short, and is kept apart, if less than this part is needed. */
    private static final double SHORT_LAST_EPOCH = 0.80;

    /**
     * Plans a split.
     *
     * @param requestedSamples number wanted at least, or {@link GptDataset#ONE_EPOCH}
     * @param dropLast whether to drop, not pad, what is left at the end
     */
    static Plan of(
        int firstSequence,
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
      long positions = Math.multiplyExact(epochs, (long) sequenceCount);
      if (positions > Integer.MAX_VALUE - 8 || samples > (Integer.MAX_VALUE - 8) / 2 - 1) {
        throw new IllegalArgumentException(
            epochs
                + " epochs of "
                + sequenceCount
                + " sequences ("
                + samples
                + " samples) are more than one index can hold; split the dataset");
      }
      int count = (int) samples;
      return new Plan(
          firstSequence,
          sequenceCount,
          tokenCount,
          seqLength,
          extraTokens,
          (int) epochs,
          count,
          apart >= 0,
          apart < 0 ? count : (int) apart);
    }

    int positionCount() {
      return epochs * sequenceCount;
    }
  }

  /**
   * Builds the arrays.
   *
   * @param lengths tokens of each of the split's sequences
   */
  static GptIndex build(Plan plan, int[] lengths, long seed) {
    NumpyRandom random = new NumpyRandom(seed);
    int[] documentIndex = new int[plan.positionCount()];
    for (int i = 0, sequence = 0; i < documentIndex.length; i++) {
      documentIndex[i] = plan.firstSequence() + sequence;
      sequence = sequence + 1 == plan.sequenceCount() ? 0 : sequence + 1;
    }
    int apart = documentIndex.length - (plan.lastEpochApart() ? plan.sequenceCount() : 0);
    random.shuffle(documentIndex, 0, apart);
    random.shuffle(documentIndex, apart, documentIndex.length - apart);

    int[] sampleIndex = sampleIndex(plan, documentIndex, lengths);

    int[] shuffleIndex = new int[plan.sampleCount()];
    for (int i = 0; i < shuffleIndex.length; i++) {
      shuffleIndex[i] = i;
    }
    random.shuffle(shuffleIndex, 0, plan.firstShuffled());
    random.shuffle(shuffleIndex, plan.firstShuffled(), plan.sampleCount() - plan.firstShuffled());
    return new GptIndex(documentIndex, sampleIndex, shuffleIndex);
  }

  private static int[] sampleIndex(Plan plan, int[] documentIndex, int[] lengths) {
    int[] rows = new int[2 * (plan.sampleCount() + 1)];
    int extra = plan.extraTokens();
    int position = 0;
    int offset = 0;
    for (int row = 1; row <= plan.sampleCount(); row++) {
      long remaining = (long) plan.seqLength() + extra;
      while (true) {
        int length = lengths[documentIndex[position] - plan.firstSequence()];
        int available = length - offset;
        remaining -= available;
        if (remaining <= 0) {
          offset += (int) remaining + available - extra;
          break;
        }
        if (position == documentIndex.length - 1) {
          // What is left is a short last sample.
          offset = length - extra;
          if (row != plan.sampleCount() || offset < 0) {
            throw new IllegalStateException(
                "the tokens end in sample " + row + " of " + plan.sampleCount());
          }
          break;
        }
        position++;
        offset = 0;
      }
      rows[2 * row] = position;
      rows[2 * row + 1] = offset;
    }
    return rows;
  }
}
