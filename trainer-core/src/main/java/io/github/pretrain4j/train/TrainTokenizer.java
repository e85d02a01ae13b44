package io.github.pretrain4j.train;

import io.github.pretrain4j.dataset.TokenizerIdentity;
import io.github.pretrain4j.dataset.gpt.GptDatasetConfig;
import io.github.pretrain4j.dataset.gpt.TokenizerDescription;
import io.github.pretrain4j.tokenizer.megatron.MegatronTokenizer;
import io.github.pretrain4j.tokenizer.megatron.MegatronTokenizerConfig;
import io.github.pretrain4j.tokenizer.megatron.MegatronTokenizerType;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Objects;

/**
 * What training needs to know of the tokenizer: it never encodes.
 *
 * @param vocabularySize number of ids
 * @param eodId ends a document
 * @param description names the index caches as Megatron does
 * @param identity tells it from others
 * @param origin for messages
 */
record TrainTokenizer(
    int vocabularySize,
    int eodId,
    int padId,
    TokenizerDescription description,
    TokenizerIdentity identity,
    String origin) {

  /** Opens {@code tokenizer_model}, or takes {@code vocab_size} at its word for a NullTokenizer. */
  static TrainTokenizer open(DataOptions data, ModelOptions model) throws IOException {
    MegatronTokenizerType type = MegatronTokenizerType.of(data.tokenizerType());
    if (type == MegatronTokenizerType.NULL) {
      int size = Objects.requireNonNull(model.vocabSize(), "checked by TrainConfig");
      return of(
          MegatronTokenizerConfig.ofNull(size),
          TokenizerDescription.nullTokenizer(size),
          type.option());
    }
    Path file = Objects.requireNonNull(data.tokenizerModel(), "checked by TrainConfig");
    return of(
        MegatronTokenizerConfig.of(type, file),
        type == MegatronTokenizerType.HUGGING_FACE
            ? TokenizerDescription.huggingFace(file.toString())
            : TokenizerDescription.sentencePiece(file.toString()),
        file.toString());
  }

  private static TrainTokenizer of(
      MegatronTokenizerConfig config, TokenizerDescription description, String origin)
      throws IOException {
    MegatronTokenizer tokenizer = MegatronTokenizer.open(config);
    int eod;
    try {
      eod = tokenizer.eodId();
    } catch (IllegalStateException e) {
      throw new IllegalArgumentException(
          origin + ": the tokenizer has no end-of-document id: " + e.getMessage(), e);
    }
    return new TrainTokenizer(
        tokenizer.vocabularySize(),
        eod,
        GptDatasetConfig.NO_PAD,
        description,
        TokenizerFingerprint.of(config, tokenizer),
        origin);
  }
}
