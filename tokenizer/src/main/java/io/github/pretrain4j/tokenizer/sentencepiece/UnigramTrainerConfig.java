package io.github.pretrain4j.tokenizer.sentencepiece;

/**
 * What a unigram training has besides {@link TrainerConfig}; names and defaults are
 * SentencePiece's.
 *
 * @param seedPieces how many strings the training starts from, {@code seed_sentencepiece_size}
 * @param shrinkingFactor share of the pieces that a round of pruning keeps
 * @param subIterations how often probabilities are estimated before each pruning
 */
public record UnigramTrainerConfig(int seedPieces, double shrinkingFactor, int subIterations) {

  /** Checks the numbers against SentencePiece's ranges. */
  public UnigramTrainerConfig {
    if (seedPieces < 1) {
      throw new IllegalArgumentException("seedPieces " + seedPieces + " is not positive");
    }
    if (!(shrinkingFactor >= 0.5 && shrinkingFactor <= 0.95)) {
      throw new IllegalArgumentException(
          "shrinkingFactor " + shrinkingFactor + " is not in 0.5 to 0.95");
    }
    if (subIterations < 1 || subIterations > 10) {
      throw new IllegalArgumentException("subIterations " + subIterations + " is not in 1 to 10");
    }
  }

  /** A million seeds, three quarters kept, two estimations. */
  public static UnigramTrainerConfig defaults() {
    return new UnigramTrainerConfig(1_000_000, 0.75, 2);
  }
}
