package io.github.pretrain4j.tokenizer.megatron;

import io.github.pretrain4j.tokenizer.TokenizerOptions;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;

/**
 * Megatron's options that choose a tokenizer. {@link #of} and {@link #ofNull} have current
 * Megatron's defaults; {@link #upToCore14} turns them into those of older releases.
 *
 * @param type {@code --tokenizer-type}
 * @param model {@code --tokenizer-model}: a model file, or the directory that holds one; null only
 *     for the NullTokenizer
 * @param vocabSize {@code --vocab-size}, only for the NullTokenizer and there needed
 * @param bosMode whether texts of a SentencePiece model begin with bos; a {@code tokenizer.json}
 *     says so itself
 * @param includeSpecialTokens whether a {@code tokenizer.json}'s template is applied; not with
 *     {@code --tokenizer-hf-no-include-special-tokens}
 * @param specialTokens {@code --special-tokens} of a legacy SentencePieceTokenizer
 * @param legacy {@code --tokenizer-sentencepiece-legacy}: cut special tokens out of texts
 * @param extraIds {@code --vocab-extra-ids}: how many {@code <extra_id_N>} the
 *     SentencePieceTokenizer of core_r0.14 and before adds
 * @param core14 whether it is the tokenizer of core_r0.14 and before
 * @param eodId {@code --null-tokenizer-eod-id}
 * @param padId {@code --null-tokenizer-pad-id}
 * @param options how the model is loaded
 */
public record MegatronTokenizerConfig(
    MegatronTokenizerType type,
    @Nullable Path model,
    @Nullable Integer vocabSize,
    BosMode bosMode,
    boolean includeSpecialTokens,
    boolean legacy,
    List<String> specialTokens,
    int extraIds,
    boolean core14,
    OptionalInt eodId,
    OptionalInt padId,
    TokenizerOptions options) {

  /** Checks that the options go together. */
  public MegatronTokenizerConfig {
    specialTokens = List.copyOf(specialTokens);
    boolean isNull = type == MegatronTokenizerType.NULL;
    require(isNull || model != null, type.option() + " needs a tokenizer model");
    require(!isNull || vocabSize != null, type.option() + " needs a vocabulary size");
    require(vocabSize == null || vocabSize > 0, "the vocabulary size must be positive");
    require(
        isNull || (eodId.isEmpty() && padId.isEmpty()), "eod and pad ids are the NullTokenizer's");
    require(
        bosMode == BosMode.NONE || type.isSentencePiece(),
        type.option() + " takes no bos mode: only SentencePiece models do");
    require(
        !legacy || (type.isSentencePiece() && !core14),
        "legacy is an option of current Megatron's SentencePiece tokenizers");
    require(specialTokens.isEmpty() || legacy, "special tokens go with the option legacy only");
    require(specialTokens.stream().noneMatch(String::isEmpty), "a special token is empty");
    require(
        extraIds == 0 || (extraIds > 0 && core14 && type == MegatronTokenizerType.SENTENCE_PIECE),
        "extra ids are those of the SentencePieceTokenizer up to core_r0.14");
  }

  private static void require(boolean condition, String message) {
    if (!condition) {
      throw new IllegalArgumentException(message);
    }
  }

  /** Current Megatron's defaults for a tokenizer with a model. */
  public static MegatronTokenizerConfig of(MegatronTokenizerType type, Path model) {
    Draft draft = new Draft(type);
    draft.model = model;
    return draft.finish();
  }

  /** Current Megatron's NullTokenizer. */
  public static MegatronTokenizerConfig ofNull(int vocabSize) {
    Draft draft = new Draft(MegatronTokenizerType.NULL);
    draft.vocabSize = vocabSize;
    return draft.finish();
  }

  /**
   * The same as Megatron up to core_r0.14 had it: bos before each text of a Llama2Tokenizer, tokens
   * added to the SentencePieceTokenizer, one id more in the NullTokenizer.
   */
  public MegatronTokenizerConfig upToCore14(int vocabExtraIds) {
    Draft draft = new Draft(this);
    draft.bosMode = type == MegatronTokenizerType.LLAMA2 ? BosMode.PER_TEXT : bosMode;
    draft.includeSpecialTokens = true;
    draft.legacy = false;
    draft.specialTokens = List.of();
    draft.extraIds = vocabExtraIds;
    draft.core14 = true;
    return draft.finish();
  }

  /** The same with another bos mode. */
  public MegatronTokenizerConfig withBosMode(BosMode mode) {
    Draft draft = new Draft(this);
    draft.bosMode = mode;
    return draft.finish();
  }

  /** The same without a {@code tokenizer.json}'s template. */
  public MegatronTokenizerConfig withoutSpecialTokens() {
    Draft draft = new Draft(this);
    draft.includeSpecialTokens = false;
    return draft.finish();
  }

  /** The same as legacy, with these special tokens. */
  public MegatronTokenizerConfig withLegacySpecialTokens(List<String> tokens) {
    Draft draft = new Draft(this);
    draft.legacy = true;
    draft.specialTokens = tokens;
    return draft.finish();
  }

  /** The same NullTokenizer with ids of its own for end of document and padding. */
  public MegatronTokenizerConfig withNullIds(OptionalInt eod, OptionalInt pad) {
    Draft draft = new Draft(this);
    draft.eodId = eod;
    draft.padId = pad;
    return draft.finish();
  }

  /** The same, loaded in another way. */
  public MegatronTokenizerConfig withOptions(TokenizerOptions newOptions) {
    Draft draft = new Draft(this);
    draft.options = newOptions;
    return draft.finish();
  }

  /** The values of a config that is being made. */
  private static final class Draft {
    private final MegatronTokenizerType type;
    private @Nullable Path model;
    private @Nullable Integer vocabSize;
    private BosMode bosMode = BosMode.NONE;
    private boolean includeSpecialTokens = true;
    private boolean legacy;
    private List<String> specialTokens = List.of();
    private int extraIds;
    private boolean core14;
    private OptionalInt eodId = OptionalInt.empty();
    private OptionalInt padId = OptionalInt.empty();
    private TokenizerOptions options = TokenizerOptions.defaults();

    Draft(MegatronTokenizerType type) {
      this.type = type;
    }

    Draft(MegatronTokenizerConfig from) {
      type = from.type;
      model = from.model;
      vocabSize = from.vocabSize;
      bosMode = from.bosMode;
      includeSpecialTokens = from.includeSpecialTokens;
      legacy = from.legacy;
      specialTokens = from.specialTokens;
      extraIds = from.extraIds;
      core14 = from.core14;
      eodId = from.eodId;
      padId = from.padId;
      options = from.options;
    }

    MegatronTokenizerConfig finish() {
      return new MegatronTokenizerConfig(
          type,
          model,
          vocabSize,
          bosMode,
          includeSpecialTokens,
          legacy,
          specialTokens,
          extraIds,
          core14,
          eodId,
          padId,
          options);
    }
  }
}
