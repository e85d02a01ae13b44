package io.github.pretrain4j.tokenizer.megatron;

import java.util.Arrays;
import java.util.stream.Collectors;

/** The values of {@code --tokenizer-type} that we know. */
public enum MegatronTokenizerType {
  /** A SentencePiece model; up to core_r0.14 with bos before each text. */
  LLAMA2("Llama2Tokenizer"),
  /** A SentencePiece model. */
  GPT_SENTENCE_PIECE("GPTSentencePieceTokenizer"),
  /** A SentencePiece model; up to core_r0.14, or as legacy, with added special tokens. */
  SENTENCE_PIECE("SentencePieceTokenizer"),
  /** A {@code tokenizer.json}. */
  HUGGING_FACE("HuggingFaceTokenizer"),
  /** No model: texts are numbers. */
  NULL("NullTokenizer");

  private final String option;

  MegatronTokenizerType(String option) {
    this.option = option;
  }

  /** The value of the option. */
  public String option() {
    return option;
  }

  /** All values of the option, comma-separated. */
  public static String options() {
    return Arrays.stream(values())
        .map(MegatronTokenizerType::option)
        .collect(Collectors.joining(", "));
  }

  /**
   * The type with this value of the option.
   *
   * @throws IllegalArgumentException if there is none
   */
  public static MegatronTokenizerType of(String option) {
    for (MegatronTokenizerType type : values()) {
      if (type.option.equals(option)) {
        return type;
      }
    }
    throw new IllegalArgumentException(
        "tokenizer type: expected one of " + options() + ", found " + option);
  }

  boolean isSentencePiece() {
    return this == LLAMA2 || this == GPT_SENTENCE_PIECE || this == SENTENCE_PIECE;
  }
}
