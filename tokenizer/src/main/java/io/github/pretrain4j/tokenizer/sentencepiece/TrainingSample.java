package io.github.pretrain4j.tokenizer.sentencepiece;

/**
 * How much text a training takes. A text without a limit grows the training's memory with the
 * number of different words in it; which bounds apply is the caller's choice and never silent.
 *
 * @param inputSentenceSize how many sentences are drawn, each with the same chance, from all that
 *     are given; 0 takes all
 * @param seed which ones are drawn: the same seed and text give the same sentences
 * @param maxWordChars how many characters all different words may have together; more is an error.
 *     For each, a BPE training needs about 90 bytes and a unigram training 200
 */
public record TrainingSample(int inputSentenceSize, long seed, long maxWordChars) {
  private static final long DEFAULT_MAX_WORD_CHARS = 1L << 26;

  /** Checks the numbers. */
  public TrainingSample {
    if (inputSentenceSize < 0) {
      throw new IllegalArgumentException("inputSentenceSize " + inputSentenceSize + " is negative");
    }
    if (maxWordChars < 1 || maxWordChars > 1L << 30) {
      throw new IllegalArgumentException(
          "maxWordChars " + maxWordChars + " is not in 1 to " + (1L << 30));
    }
  }

  /** Every sentence, up to 2^26 characters in different words. */
  public static TrainingSample all() {
    return new TrainingSample(0, 0, DEFAULT_MAX_WORD_CHARS);
  }

  /** At most {@code sentences}, drawn with {@code seed}. */
  public static TrainingSample of(int sentences, long seed) {
    return new TrainingSample(sentences, seed, DEFAULT_MAX_WORD_CHARS);
  }
}
