package io.github.pretrain4j.train;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import io.github.pretrain4j.tokenizer.megatron.MegatronTokenizerType;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** What the model is trained on, and the tokenizer the data was made with. */
public record DataOptions(
    @JsonProperty(defaultValue = "[]") @JsonPropertyDescription("prefix of the .bin and .idx files")
        List<String> dataPath,
    @JsonProperty(defaultValue = "[]")
        @JsonPropertyDescription(
            "further validation sets, each NAME=PREFIX, evaluated on the same samples before the first iteration, at every evaluation and at the end")
        List<String> extraValidDataPath,
    @JsonProperty(defaultValue = "969, 30, 1")
        @JsonPropertyDescription("shares of training, validation and test documents")
        String split,
    @JsonPropertyDescription("where index caches go; default: beside the data")
        @Nullable Path dataCachePath,
    @JsonPropertyDescription("tokens of a sample") int seqLength,
    @JsonPropertyDescription("restart positions after each end of document")
        boolean resetPositionIds,
    @JsonPropertyDescription("no loss where the input is an end of document") boolean eodMaskLoss,
    @JsonProperty(defaultValue = "Llama2Tokenizer")
        @JsonPropertyDescription(
            "Llama2Tokenizer, GPTSentencePieceTokenizer, SentencePieceTokenizer, HuggingFaceTokenizer, or NullTokenizer (ids below vocab_size, the last ends a document)")
        String tokenizerType,
    @JsonPropertyDescription("tokenizer.model or tokenizer.json, or its directory")
        @Nullable Path tokenizerModel) {

  void check(Faults faults, @Nullable Integer vocabSize) {
    faults.unless(
        dataPath.size() == 1,
        "data_path must be one prefix (blends of several are not supported yet), is " + dataPath);
    for (String set : extraValidDataPath) {
      faults.unless(
          set.matches("[A-Za-z0-9_.-]+=.+"),
          "extra_valid_data_path must be NAME=PREFIX, is '" + set + "'");
    }
    faults.unless(
        extraValidDataPath.stream().map(set -> set.replaceFirst("=.*", "")).distinct().count()
            == extraValidDataPath.size(),
        "extra_valid_data_path has a name twice: " + extraValidDataPath);
    faults.unlessPositive("seq_length", seqLength);
    MegatronTokenizerType type;
    try {
      type = MegatronTokenizerType.of(tokenizerType);
    } catch (IllegalArgumentException e) {
      faults.add(
          "tokenizer_type must be one of "
              + MegatronTokenizerType.options()
              + ", is "
              + tokenizerType);
      return;
    }
    if (type == MegatronTokenizerType.NULL) {
      faults.unless(vocabSize != null, "tokenizer_type NullTokenizer needs vocab_size");
    } else {
      faults.unless(
          tokenizerModel != null, "tokenizer_type " + tokenizerType + " needs tokenizer_model");
    }
  }
}
