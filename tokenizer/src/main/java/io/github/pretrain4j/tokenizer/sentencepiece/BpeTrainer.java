package io.github.pretrain4j.tokenizer.sentencepiece;

import io.github.pretrain4j.tokenizer.CorruptTokenizerException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Trains a BPE vocabulary: starting from characters, the most frequent pair of neighbours becomes a
 * piece, again and again.
 *
 * <p>Deterministic: the same sentences and configuration give the same file. On equal frequency the
 * shorter piece wins, then the one that comes first in code point order. Frequencies are exact,
 * where SentencePiece only looks at its most promising pairs; vocabularies are therefore alike, not
 * equal. One thread; memory grows with the number of different words. Which script a character
 * belongs to is asked of the running JDK.
 */
public final class BpeTrainer {
  private BpeTrainer() {}

  /** Trains without telling how far it is. */
  public static SentencePieceModel train(Iterator<String> sentences, BpeTrainerConfig config) {
    return train(sentences, config, (phase, done, total) -> {});
  }

  /**
   * Trains a model.
   *
   * @param sentences the text; line ends within one separate sentences, as they do in a text file
   * @throws IllegalArgumentException if the text has too few different pairs for the vocabulary, or
   *     the vocabulary has too little room for the characters; the message says which size works
   */
  public static SentencePieceModel train(
      Iterator<String> sentences, BpeTrainerConfig config, TrainingProgress progress) {
    TrainingWords words = new TrainingWords(config, normalizer(config));
    long read = 0;
    while (sentences.hasNext()) {
      words.add(sentences.next());
      if (++read % 10_000 == 0) {
        progress.progress("reading", read, 0);
      }
    }
    progress.progress("reading", read, 0);

    List<SentencePieceModel.Piece> pieces = specialPieces(config);
    Set<String> taken = new LinkedHashSet<>();
    pieces.forEach(piece -> taken.add(piece.text()));
    List<String> characters = new ArrayList<>();
    Map<Integer, Integer> symbolOfCharacter = new HashMap<>();
    for (int codePoint : words.frequentCharacters()) {
      symbolOfCharacter.put(codePoint, characters.size());
      characters.add(Character.toString(codePoint));
    }
    long characterPieces = characters.stream().filter(c -> !taken.contains(c)).count();
    long mergeCount = config.vocabularySize() - pieces.size() - characterPieces;
    if (mergeCount < 0) {
      throw new IllegalArgumentException(
          "vocabularySize "
              + config.vocabularySize()
              + " has no room for "
              + pieces.size()
              + " special pieces and "
              + characterPieces
              + " characters; use at least "
              + (pieces.size() + characterPieces)
              + " or a lower characterCoverage");
    }

    BpeMerging merging = new BpeMerging(config, characters, taken);
    words.forEach((word, count) -> merging.addWord(word, count, symbolOfCharacter));
    List<String> merged = merging.run((int) mergeCount, progress);
    if (merged.size() < mergeCount) {
      throw new IllegalArgumentException(
          "vocabularySize "
              + config.vocabularySize()
              + " is more than this text yields; use at most "
              + (pieces.size() + characterPieces + merged.size())
              + " or more text");
    }
    int score = 0;
    for (String text : merged) {
      pieces.add(new SentencePieceModel.Piece(text, -score++, PieceType.NORMAL));
    }
    for (String text : characters) {
      if (!taken.contains(text)) {
        pieces.add(new SentencePieceModel.Piece(text, -score++, PieceType.NORMAL));
      }
    }
    return SentencePieceModel.create(pieces, trainerSpec(config), normalizerSpec(config));
  }

  private static List<SentencePieceModel.Piece> specialPieces(BpeTrainerConfig config) {
    List<SentencePieceModel.Piece> pieces = new ArrayList<>();
    pieces.add(special(config.unkPiece(), PieceType.UNKNOWN));
    pieces.add(special(config.bosPiece(), PieceType.CONTROL));
    pieces.add(special(config.eosPiece(), PieceType.CONTROL));
    if (!config.padPiece().isEmpty()) {
      pieces.add(special(config.padPiece(), PieceType.CONTROL));
    }
    for (String symbol : config.controlSymbols()) {
      pieces.add(special(symbol, PieceType.CONTROL));
    }
    for (String symbol : config.userDefinedSymbols()) {
      pieces.add(special(symbol, PieceType.USER_DEFINED));
    }
    if (config.byteFallback()) {
      for (int value = 0; value < 256; value++) {
        pieces.add(special("<0x%02X>".formatted(value), PieceType.BYTE));
      }
    }
    return pieces;
  }

  private static SentencePieceModel.Piece special(String text, PieceType type) {
    return new SentencePieceModel.Piece(text, 0, type);
  }

  private static Normalizer normalizer(BpeTrainerConfig config) {
    try {
      List<SentencePieceModel.Piece> pieces = specialPieces(config);
      PieceTrie symbols = PieceTrie.ofUserSymbols(pieces, new PieceTexts(pieces, false));
      return Normalizer.of(normalizerSpec(config), false, symbols, Path.of("(new model)"));
    } catch (CorruptTokenizerException e) {
      throw new IllegalStateException("no rules, so nothing can be damaged", e);
    }
  }

  private static NormalizerSpec normalizerSpec(BpeTrainerConfig config) {
    NormalizerSpec spec = new NormalizerSpec();
    spec.name = "identity";
    spec.addDummyPrefix = config.addDummyPrefix();
    spec.removeExtraWhitespaces = config.removeExtraWhitespaces();
    return spec;
  }

  private static TrainerSpec trainerSpec(BpeTrainerConfig config) {
    TrainerSpec spec = new TrainerSpec();
    spec.modelType = TrainerSpec.BPE;
    spec.vocabSize = config.vocabularySize();
    spec.byteFallback = config.byteFallback();
    spec.padId = config.padPiece().isEmpty() ? -1 : 3;
    spec.unkPiece = config.unkPiece();
    spec.bosPiece = config.bosPiece();
    spec.eosPiece = config.eosPiece();
    if (!config.padPiece().isEmpty()) {
      spec.padPiece = config.padPiece();
    }
    ProtobufWriter others = new ProtobufWriter();
    others.float32(10, (float) config.characterCoverage());
    others.int32(20, config.maxPieceLength());
    others.bool(21, config.splitByUnicodeScript());
    others.bool(22, config.splitByWhitespace());
    others.bool(23, config.splitByNumber());
    others.bool(25, config.splitDigits());
    others.bool(26, config.allowWhitespaceOnlyPieces());
    config.controlSymbols().forEach(symbol -> others.string(30, symbol));
    config.userDefinedSymbols().forEach(symbol -> others.string(31, symbol));
    spec.otherFields = others.toByteArray();
    return spec;
  }
}
