package io.github.pretrain4j.tokenizer.sentencepiece;

/**
 * How a vocabulary is extended from text.
 *
 * @param pieces how many pieces are added
 * @param characterCoverage share of the text's characters that have a piece of their own
 *     afterwards; those that had none come first among the new ones
 * @param sample how much of the text is used
 */
public record ExtensionConfig(int pieces, double characterCoverage, TrainingSample sample) {
  private static final double DEFAULT_COVERAGE = 0.9995;

  /** Checks the numbers. */
  public ExtensionConfig {
    if (pieces < 1 || pieces > SentencePieceModel.MAX_PIECES) {
      throw new IllegalArgumentException(
          "pieces " + pieces + " is not in 1 to " + SentencePieceModel.MAX_PIECES);
    }
    TrainerConfig.requireCoverage(characterCoverage);
  }

  /** SentencePiece's coverage, and all of the text. */
  public static ExtensionConfig of(int pieces) {
    return new ExtensionConfig(pieces, DEFAULT_COVERAGE, TrainingSample.all());
  }
}
