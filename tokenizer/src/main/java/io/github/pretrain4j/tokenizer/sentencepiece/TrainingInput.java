package io.github.pretrain4j.tokenizer.sentencepiece;

import io.github.pretrain4j.tokenizer.CorruptTokenizerException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Set;

/** What every training begins with: the pieces that are given, the words, their characters. */
final class TrainingInput {
  final TrainerConfig config;
  private final NormalizerSpec normalizerSpec;
  final WordCutter cutter;
  final TrainingWords words;

  /** The pieces that are given, in the order of ids, and their texts. */
  final List<SentencePieceModel.Piece> specialPieces;

  final Set<String> specialTexts;

  /** The characters that may be part of pieces, most frequent first. */
  final List<String> characters = new ArrayList<>();

  private TrainingInput(TrainerConfig config) {
    this.config = config;
    normalizerSpec = config.normalizerSpec();
    cutter = new WordCutter(config.pieceRules());
    specialPieces = config.specialPieces().pieces(config.byteFallback());
    specialTexts = new HashSet<>();
    specialPieces.forEach(piece -> specialTexts.add(piece.text()));
    words =
        new TrainingWords(
            cutter,
            normalizer(normalizerSpec, specialPieces),
            UserSymbols.of(specialPieces),
            null,
            config.sample());
  }

  /** A normaliser for pieces and rules that are known to be sound. */
  static Normalizer normalizer(NormalizerSpec spec, List<SentencePieceModel.Piece> pieces) {
    try {
      PieceTrie symbols = PieceTrie.ofUserSymbols(pieces, new PieceTexts(pieces, false));
      return Normalizer.of(spec, false, symbols, Path.of("(new model)"));
    } catch (CorruptTokenizerException e) {
      throw new IllegalStateException("sound rules are damaged", e);
    }
  }

  static TrainingInput read(
      Iterator<String> sentences, TrainerConfig config, TrainingProgress progress) {
    TrainingInput input = new TrainingInput(config);
    input.words.addAll(sentences, progress);
    for (int codePoint : input.words.frequentCharacters(config.characterCoverage())) {
      input.characters.add(Character.toString(codePoint));
    }
    long least = (long) input.specialPieces.size() + input.characterPieces();
    if (config.vocabularySize() < least) {
      throw new IllegalArgumentException(
          "vocabularySize "
              + config.vocabularySize()
              + " has no room for "
              + input.specialPieces.size()
              + " special pieces and "
              + input.characterPieces()
              + " characters; use at least "
              + least
              + " or a lower characterCoverage");
    }
    return input;
  }

  private int characterPieces() {
    return (int) characters.stream().filter(c -> !specialTexts.contains(c)).count();
  }

  /** How many pieces there is room for besides the given ones and the characters. */
  int wantedPieces() {
    return config.vocabularySize() - specialPieces.size() - characterPieces();
  }

  /** Fails if a training found less than it should. */
  void requireAllFound(int found) {
    if (found < wantedPieces()) {
      throw new IllegalArgumentException(
          "vocabularySize "
              + config.vocabularySize()
              + " is more than this text yields; use at most "
              + (specialPieces.size() + characterPieces() + found)
              + " or more text");
    }
  }

  /** The model of the given pieces and what was learned. */
  SentencePieceModel model(int modelType, List<SentencePieceModel.Piece> learned) {
    List<SentencePieceModel.Piece> pieces = new ArrayList<>(specialPieces);
    pieces.addAll(learned);
    return SentencePieceModel.create(pieces, config.trainerSpec(modelType), normalizerSpec);
  }
}
