package io.github.pretrain4j.tokenizer.sentencepiece;

/**
 * How a vocabulary is trained, whatever the kind of model; names and meanings are SentencePiece's.
 *
 * @param vocabularySize number of pieces, all kinds together
 * @param characterCoverage share of the text's characters that get a piece of their own; the rarest
 *     rest is left to bytes, or to the unknown piece
 * @param byteFallback whether other characters become bytes
 * @param normalizationRule what happens to characters before all else
 * @param addDummyPrefix whether a space is put before every text
 * @param removeExtraWhitespaces whether spaces at the ends and repeated ones are dropped
 * @param pieceRules which strings may become pieces
 * @param specialPieces pieces that are given
 * @param sample how much of the text is used
 */
public record TrainerConfig(
    int vocabularySize,
    double characterCoverage,
    boolean byteFallback,
    NormalizationRule normalizationRule,
    boolean addDummyPrefix,
    boolean removeExtraWhitespaces,
    PieceRules pieceRules,
    SpecialPieces specialPieces,
    TrainingSample sample) {
  private static final double DEFAULT_COVERAGE = 0.9995;

  /** Checks the numbers. */
  public TrainerConfig {
    if (vocabularySize < 4 || vocabularySize > SentencePieceModel.MAX_PIECES) {
      throw new IllegalArgumentException(
          "vocabularySize " + vocabularySize + " is not in 4 to " + SentencePieceModel.MAX_PIECES);
    }
    requireCoverage(characterCoverage);
  }

  static void requireCoverage(double characterCoverage) {
    if (!(characterCoverage > 0 && characterCoverage <= 1)) {
      throw new IllegalArgumentException(
          "characterCoverage " + characterCoverage + " is not above 0 and at most 1");
    }
  }

  /**
   * A tokenizer like Llama's: bytes for rare characters, single digits, a dummy prefix, spaces kept
   * as they are, no normalisation, no padding piece. Coverage is SentencePiece's default.
   */
  public static TrainerConfig llama(int vocabularySize) {
    return new TrainerConfig(
        vocabularySize,
        DEFAULT_COVERAGE,
        true,
        NormalizationRule.IDENTITY,
        true,
        false,
        PieceRules.llama(),
        SpecialPieces.defaults(),
        TrainingSample.all());
  }

  /** What SentencePiece's own trainer does unless told otherwise. */
  public static TrainerConfig defaults(int vocabularySize) {
    return new TrainerConfig(
        vocabularySize,
        DEFAULT_COVERAGE,
        false,
        NormalizationRule.NMT_NFKC,
        true,
        true,
        PieceRules.defaults(),
        SpecialPieces.defaults(),
        TrainingSample.all());
  }

  /** This, with other given pieces. */
  public TrainerConfig withSpecialPieces(SpecialPieces pieces) {
    return new TrainerConfig(
        vocabularySize,
        characterCoverage,
        byteFallback,
        normalizationRule,
        addDummyPrefix,
        removeExtraWhitespaces,
        pieceRules,
        pieces,
        sample);
  }

  /** This, with other text limits. */
  public TrainerConfig withSample(TrainingSample limits) {
    return new TrainerConfig(
        vocabularySize,
        characterCoverage,
        byteFallback,
        normalizationRule,
        addDummyPrefix,
        removeExtraWhitespaces,
        pieceRules,
        specialPieces,
        limits);
  }

  NormalizerSpec normalizerSpec() {
    NormalizerSpec spec = new NormalizerSpec();
    spec.name = normalizationRule.ruleName();
    spec.precompiledCharsmap = normalizationRule.precompiledCharsmap();
    spec.addDummyPrefix = addDummyPrefix;
    spec.removeExtraWhitespaces = removeExtraWhitespaces;
    return spec;
  }

  TrainerSpec trainerSpec(int modelType) {
    TrainerSpec spec = new TrainerSpec();
    spec.modelType = modelType;
    spec.vocabSize = vocabularySize;
    spec.byteFallback = byteFallback;
    spec.padId = specialPieces.padPiece().isEmpty() ? -1 : 3;
    spec.unkPiece = specialPieces.unkPiece();
    spec.bosPiece = specialPieces.bosPiece();
    spec.eosPiece = specialPieces.eosPiece();
    if (!specialPieces.padPiece().isEmpty()) {
      spec.padPiece = specialPieces.padPiece();
    }
    ProtobufWriter others = new ProtobufWriter();
    others.float32(10, (float) characterCoverage);
    if (sample.inputSentenceSize() > 0) {
      others.int32(11, sample.inputSentenceSize());
    }
    others.int32(20, pieceRules.maxPieceLength());
    others.bool(21, pieceRules.splitByUnicodeScript());
    others.bool(22, pieceRules.splitByWhitespace());
    others.bool(23, pieceRules.splitByNumber());
    others.bool(25, pieceRules.splitDigits());
    others.bool(26, pieceRules.allowWhitespaceOnlyPieces());
    specialPieces.controlSymbols().forEach(symbol -> others.string(30, symbol));
    specialPieces.userDefinedSymbols().forEach(symbol -> others.string(31, symbol));
    spec.otherFields = others.toByteArray();
    return spec;
  }
}
