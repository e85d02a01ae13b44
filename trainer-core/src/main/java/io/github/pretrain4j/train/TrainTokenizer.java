package io.github.pretrain4j.train;

import io.github.pretrain4j.dataset.GptDatasetConfig;
import io.github.pretrain4j.dataset.TokenizerDescription;
import io.github.pretrain4j.tokenizer.Tokenizer;
import io.github.pretrain4j.tokenizer.Tokenizers;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Objects;

/**
 * What training needs to know of the tokenizer: it never encodes.
 *
 * @param vocabularySize number of ids
 * @param eodId ends a document
 * @param description names the index caches as Megatron does
 * @param origin for messages
 */
record TrainTokenizer(
    int vocabularySize, int eodId, int padId, TokenizerDescription description, String origin) {

  /** Loads {@code tokenizer_model}, or takes {@code vocab_size} at its word for a NullTokenizer. */
  static TrainTokenizer open(DataOptions data, ModelOptions model) throws IOException {
    if (data.tokenizerType().equals("NullTokenizer")) {
      int size = Objects.requireNonNull(model.vocabSize(), "checked by TrainConfig");
      return new TrainTokenizer(
          size,
          size - 1,
          GptDatasetConfig.NO_PAD,
          TokenizerDescription.nullTokenizer(size),
          "NullTokenizer");
    }
    Path file = Objects.requireNonNull(data.tokenizerModel(), "checked by TrainConfig");
    Tokenizer tokenizer = Tokenizers.load(file);
    int size = tokenizer.vocabularySize();
    int eod;
    try {
      eod = tokenizer.eodId();
    } catch (IllegalStateException e) {
      throw new IllegalArgumentException(
          file + ": the tokenizer has no end-of-document id: " + e.getMessage(), e);
    }
    return new TrainTokenizer(
        size,
        eod,
        GptDatasetConfig.NO_PAD,
        TokenizerDescription.sentencePiece(file.toString()),
        file.toString());
  }
}
