package io.github.pretrain4j.tokenizer.sentencepiece;

import io.github.pretrain4j.tokenizer.CorruptTokenizerException;
import io.github.pretrain4j.tokenizer.UnigramScores;
import org.jspecify.annotations.Nullable;

/**
 * Everything about a model that encoding reads: tables made once, shared by all encoders.
 * Immutable.
 */
final class SentencePieceEngine {
  final PieceTable pieces;
  final Normalizer normalizer;
  final CharacterTable characters;

  /** Symbols that are found before anything else and cut the text; null if there are none. */
  final @Nullable PieceTrie frozenSymbols;

  /** The text must be encoded as one segment. */
  final boolean isUncut;

  /**
   * Text needs no preparing but {@link Normalizer#frame}: no rules, and nothing but single
   * characters is looked up in it, so that U+2581 may stand as itself.
   */
  final boolean takesFramedText;

  /** Scores to sum up along the text; null if ids do not depend on what went before. */
  final @Nullable UnigramVocabulary unigram;

  private final @Nullable BpeVocabulary bpe;
  private final boolean isWordModel;

  SentencePieceEngine(SentencePieceModel model, UnigramScores scores)
      throws CorruptTokenizerException {
    pieces = new PieceTable(model);
    normalizer =
        Normalizer.of(
            model.normalizer(),
            model.trainer().treatWhitespaceAsSuffix,
            pieces.plainUserSymbols(),
            model.file());
    int type = model.trainer().modelType;
    bpe = type == TrainerSpec.BPE ? new BpeVocabulary(pieces) : null;
    unigram = type == TrainerSpec.UNIGRAM ? new UnigramVocabulary(pieces, scores) : null;
    isWordModel = type == TrainerSpec.WORD;
    isUncut = bpe != null && pieces.has(PieceType.UNUSED);
    frozenSymbols =
        type == TrainerSpec.BPE || type == TrainerSpec.CHAR ? pieces.userSymbols() : null;
    takesFramedText = normalizer.isIdentity() && bpe != null && frozenSymbols == null;
    characters = characters(type);
  }

  private CharacterTable characters(int type) {
    CharacterTable.CutRule rule =
        switch (type) {
          case TrainerSpec.WORD -> CharacterTable.CutRule.BEFORE_SPACES;
          case TrainerSpec.CHAR -> CharacterTable.CutRule.EVERYWHERE;
          default -> CharacterTable.CutRule.PIECES;
        };
    return new CharacterTable(
        pieces, this::infoAlone, pieces.unknownId() | CharacterTable.IS_SPECIAL, rule);
  }

  /** The id of one character alone, and whether there is more to it. */
  private int infoAlone(int codePoint) {
    int id = idAlone(codePoint);
    PieceType type = pieces.type(id);
    boolean special = type == PieceType.UNKNOWN || type == PieceType.CONTROL;
    return special ? id | CharacterTable.IS_SPECIAL : id;
  }

  private int idAlone(int codePoint) {
    if (bpe != null) {
      return bpe.idOf(bpe.symbolOf(codePoint));
    }
    boolean escaped = codePoint == ' ' && pieces.escapesSpaces();
    String text = Character.toString(escaped ? Normalizer.ESCAPED_SPACE : codePoint);
    if (unigram == null) {
      return pieces.id(text);
    }
    byte[] prepared = PieceTexts.prepared(text, pieces.escapesSpaces());
    int id = unigram.trie.find(prepared, 0, prepared.length);
    return id == PieceTrie.NO_VALUE ? pieces.unknownId() : id;
  }

  /** The algorithm of the model's type, for one thread. */
  SegmentEngine newSegments() {
    if (unigram != null) {
      return new UnigramSegments(unigram, pieces.unknownId());
    }
    if (bpe == null) {
      return new WholeSegments(pieces, normalizer, isWordModel);
    }
    return isUncut ? new UnusedBpeSegments(pieces, bpe, frozenSymbols) : new BpeSegments(bpe);
  }

  /** The complaint about a CONTROL piece, which a text holds but cannot produce. */
  IllegalArgumentException notFromText(int id) {
    return new IllegalArgumentException(
        "the text contains \""
            + pieces.piece(id).text()
            + "\", which is the CONTROL piece "
            + id
            + " of this model and cannot come from text");
  }
}
