package io.github.pretrain4j.train;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import io.github.pretrain4j.dataset.gpt.Blend;
import io.github.pretrain4j.tokenizer.megatron.MegatronTokenizerType;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** What the model is trained on, and the tokenizer the data was made with. */
public record DataOptions(
    @JsonProperty(defaultValue = "[]")
        @JsonPropertyDescription(
            "prefix of the .bin and .idx files; several are blended: PREFIX..., or WEIGHT PREFIX WEIGHT PREFIX...")
        List<String> dataPath,
    @JsonPropertyDescription("file that holds data_path's words") @Nullable Path dataArgsPath,
    @JsonProperty(defaultValue = "[]")
        @JsonPropertyDescription(
            "blend of the training split alone, as data_path; takes the place of data_path and split")
        List<String> trainDataPath,
    @JsonProperty(defaultValue = "[]")
        @JsonPropertyDescription("blend of the validation split alone")
        List<String> validDataPath,
    @JsonProperty(defaultValue = "[]") @JsonPropertyDescription("blend of the test split alone")
        List<String> testDataPath,
    @JsonPropertyDescription("JSON file with the blends of train, valid and test")
        @Nullable Path perSplitDataArgsPath,
    @JsonProperty(defaultValue = "[]")
        @JsonPropertyDescription(
            "further validation sets, each NAME=PREFIX, evaluated on the same samples before the first iteration, at every evaluation and at the end")
        List<String> extraValidDataPath,
    @JsonProperty(defaultValue = "969, 30, 1")
        @JsonPropertyDescription("shares of training, validation and test documents")
        String split,
    @JsonProperty(defaultValue = "0.005")
        @JsonPropertyDescription(
            "how many more samples than its share each dataset of a blend is built with")
        double midLevelDatasetSurplus,
    @JsonProperty(defaultValue = "single")
        @JsonPropertyDescription(
            "order of samples: single (the dataset's shuffled order) or cyclic (shuffled again each epoch)")
        String dataloaderType,
    @JsonPropertyDescription("let cyclic draw from the whole dataset, not from a part per rank")
        boolean noDataSharding,
    @JsonPropertyDescription("where index caches go; default: beside the data")
        @Nullable Path dataCachePath,
    @JsonPropertyDescription(
            "go on with another blend than the checkpoint's, each dataset where it stopped")
        boolean changeBlend,
    @JsonPropertyDescription(
            "train although a dataset's .meta.json says that another tokenizer made it")
        boolean allowTokenizerMismatch,
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

  private static final String CYCLIC = "cyclic";
  private static final List<String> LOADERS = List.of("single", CYCLIC);

  /** Whether samples are shuffled again each epoch. */
  boolean isCyclic() {
    return dataloaderType.equals(CYCLIC);
  }

  /** Whether each split has datasets of its own. */
  boolean isPerSplit() {
    return perSplitDataArgsPath != null || !perSplitDataPaths().isEmpty();
  }

  private List<String> perSplitDataPaths() {
    return Stream.of(trainDataPath, validDataPath, testDataPath).flatMap(List::stream).toList();
  }

  /** The blend that {@link #split} cuts. */
  Blend blend() throws IOException {
    return dataArgsPath == null ? Blend.parse(dataPath) : Blend.read(dataArgsPath);
  }

  /** The blend of each split. */
  Blend.PerSplit blendsPerSplit() throws IOException {
    return perSplitDataArgsPath == null
        ? new Blend.PerSplit(blendOf(trainDataPath), blendOf(validDataPath), blendOf(testDataPath))
        : Blend.readPerSplit(perSplitDataArgsPath);
  }

  private static @Nullable Blend blendOf(List<String> arguments) {
    return arguments.isEmpty() ? null : Blend.parse(arguments);
  }

  private void checkBlends(Faults faults) {
    List<String> given = new ArrayList<>();
    if (!dataPath.isEmpty()) {
      given.add("data_path");
    }
    if (dataArgsPath != null) {
      given.add("data_args_path");
    }
    if (!perSplitDataPaths().isEmpty()) {
      given.add("train_data_path, valid_data_path, test_data_path");
    }
    if (perSplitDataArgsPath != null) {
      given.add("per_split_data_args_path");
    }
    faults.unless(
        given.size() == 1,
        "the data must be named once, by data_path, data_args_path, per_split_data_args_path, or the three of"
            + " train_data_path; given: "
            + (given.isEmpty() ? "none" : String.join("; ", given)));
    for (List<String> arguments : List.of(dataPath, trainDataPath, validDataPath, testDataPath)) {
      try {
        blendOf(arguments);
      } catch (IllegalArgumentException e) {
        faults.add(String.valueOf(e.getMessage()));
      }
    }
  }

  void check(Faults faults, @Nullable Integer vocabSize) {
    checkBlends(faults);
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
    faults.unless(
        midLevelDatasetSurplus >= 0 && midLevelDatasetSurplus < Double.POSITIVE_INFINITY,
        "mid_level_dataset_surplus must not be negative, is " + midLevelDatasetSurplus);
    faults.unless(
        LOADERS.contains(dataloaderType),
        "dataloader_type must be one of " + LOADERS + ", is " + dataloaderType);
    faults.unless(!changeBlend || !isCyclic(), "change_blend needs dataloader_type single");
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
