package io.github.pretrain4j.tokenizer.sentencepiece;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;

/**
 * Trains a BPE vocabulary: starting from characters, the most frequent pair of neighbours becomes a
 * piece, again and again. After the special pieces come the merged ones in the order of merging,
 * then characters by falling frequency.
 *
 * <p>Deterministic: the same sentences and configuration give the same file on every Java. On equal
 * frequency the shorter piece wins, then the one that comes first in code point order. Frequencies
 * are exact, where SentencePiece only looks at its most promising pairs; vocabularies are therefore
 * alike, not equal. One thread; memory grows with the different words and is bounded by {@link
 * TrainingSample}.
 */
public final class BpeTrainer {
  private BpeTrainer() {}

  /** Trains without telling how far it is. */
  public static SentencePieceModel train(Iterator<String> sentences, TrainerConfig config) {
    return train(sentences, config, (phase, done, total) -> {});
  }

  /**
   * Trains a model.
   *
   * @param sentences the text; line ends within one separate sentences, as they do in a text file
   * @throws IllegalArgumentException if the text has too few different pairs for the vocabulary, or
   *     the vocabulary has too little room for the characters (the message says which size works),
   *     or the text is more than the configuration's sample allows
   */
  public static SentencePieceModel train(
      Iterator<String> sentences, TrainerConfig config, TrainingProgress progress) {
    TrainingInput input = TrainingInput.read(sentences, config, progress);
    BpeMerging merging =
        new BpeMerging(text -> input.cutter.allows(text) && !input.specialTexts.contains(text));
    for (String character : input.characters) {
      merging.addSymbol(character);
    }
    input.words.forEach(merging::addWord);
    input.words.clear();
    List<String> merged = merging.run(input.wantedPieces(), progress);
    input.requireAllFound(merged.size());
    List<SentencePieceModel.Piece> learned = new ArrayList<>();
    for (String text : merged) {
      learned.add(new SentencePieceModel.Piece(text, -learned.size(), PieceType.NORMAL));
    }
    for (String text : input.characters) {
      if (!input.specialTexts.contains(text)) {
        learned.add(new SentencePieceModel.Piece(text, -learned.size(), PieceType.NORMAL));
      }
    }
    return input.model(TrainerSpec.BPE, learned);
  }
}
