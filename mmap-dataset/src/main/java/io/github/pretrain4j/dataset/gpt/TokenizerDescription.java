package io.github.pretrain4j.dataset.gpt;

/**
 * What Megatron says of a tokenizer in the description of a dataset. It is part of the text whose
 * MD5 names the cache files, so it must equal Megatron's to the byte if caches are to be shared.
 *
 * <p>The object differs between tokenizer types and Megatron releases; take it from the {@code
 * description.txt} of an existing cache where no factory here makes it.
 *
 * @param json the JSON object, laid out as Python's {@code json.dumps(..., indent=4)} does at the
 *     outermost level
 */
public record TokenizerDescription(String json) {
  private static final String CLASS =
      "megatron.core.tokenizers.text.text_tokenizer.MegatronTokenizerText";

  /** For datasets that share no cache with Megatron: an empty object. */
  public static final TokenizerDescription NONE = new TokenizerDescription("{}");

  /** Checks that it can be an object. */
  public TokenizerDescription {
    if (!json.startsWith("{") || !json.endsWith("}")) {
      throw new IllegalArgumentException("not a JSON object: " + json);
    }
  }

  /**
   * Current Megatron with a SentencePiece tokenizer and default options.
   *
   * @param modelPath the value of {@code --tokenizer-model}
   */
  public static TokenizerDescription sentencePiece(String modelPath) {
    return new TokenizerDescription(
        new PythonJson()
            .beginObject()
            .key("class")
            .string(CLASS)
            .key("tokenizer_path")
            .string(modelPath)
            .key("chat_template")
            .string("None")
            .key("ignore_extra_whitespaces")
            .string("True")
            .key("legacy")
            .string("False")
            .key("special_tokens")
            .string("None")
            .endObject()
            .toString());
  }

  /**
   * Current Megatron with a Hugging Face tokenizer and default options, after its source: no cache
   * that it wrote was at hand.
   *
   * @param modelPath the value of {@code --tokenizer-model}
   */
  public static TokenizerDescription huggingFace(String modelPath) {
    return new TokenizerDescription(
        new PythonJson()
            .beginObject()
            .key("class")
            .string(CLASS)
            .key("tokenizer_path")
            .string(modelPath)
            .key("chat_template")
            .string("None")
            .key("vocab_file")
            .string("None")
            .key("merges_file")
            .string("None")
            .key("additional_special_tokens")
            .string("[]")
            .key("use_fast")
            .string("True")
            .key("trust_remote_code")
            .string("False")
            .key("include_special_tokens")
            .string("True")
            .key("use_gigatoken")
            .string("False")
            .endObject()
            .toString());
  }

  /**
   * Current Megatron's {@code NullTokenizer}, which maps words that are numbers to these numbers.
   */
  public static TokenizerDescription nullTokenizer(int vocabularySize) {
    return new TokenizerDescription(
        new PythonJson()
            .beginObject()
            .key("class")
            .string(CLASS)
            .key("tokenizer_path")
            .nullValue()
            .key("vocab_size")
            .string(Integer.toString(vocabularySize))
            .key("pad_id")
            .string("-1")
            .endObject()
            .toString());
  }

  /**
   * Megatron Core 0.6's {@code GPTSentencePieceTokenizer}.
   *
   * @param modelPath the value of {@code --tokenizer-model}
   */
  public static TokenizerDescription sentencePieceOfCore06(String modelPath) {
    return new TokenizerDescription(
        new PythonJson()
            .beginObject()
            .key("class")
            .string("_GPTSentencePieceTokenizer")
            .key("tokenizer_path")
            .beginArray()
            .string(modelPath)
            .endArray()
            .key("vocab_extra_ids")
            .string("0")
            .endObject()
            .toString());
  }
}
