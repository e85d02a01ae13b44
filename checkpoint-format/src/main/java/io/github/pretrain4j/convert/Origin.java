package io.github.pretrain4j.convert;

import io.github.pretrain4j.checkpoint.CorruptCheckpointException;
import io.github.pretrain4j.checkpoint.TensorSource;
import io.github.pretrain4j.model.ModelFamilies;
import io.github.pretrain4j.model.ModelFamily;
import io.github.pretrain4j.model.TransformerConfig;
import io.github.pretrain4j.model.WeightMapping;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** The checkpoint that is converted. */
sealed interface Origin extends AutoCloseable permits HuggingFaceOrigin, MegatronOrigin {

  /** What kind of model it is. */
  record Model(TransformerConfig config, ModelFamily family, WeightMapping mapping) {
    static Model of(TransformerConfig config, ModelFamilies families) {
      ModelFamily family = families.get(config.family());
      return new Model(config, family, family.weights(config));
    }

    /** The same with another vocabulary. */
    Model withVocabSize(int vocabSize) {
      TransformerConfig resized = config.toBuilder().vocabSize(vocabSize).build();
      return new Model(resized, family, family.weights(resized));
    }
  }

  /**
   * Opens {@code config.input()}, whatever it is. What is wrong with the model, but not with its
   * files, goes to {@code problems}, what is odd to {@code notes}.
   *
   * @throws IOException if files are missing or damaged
   */
  static Origin open(
      ConversionConfig config, ModelFamilies families, List<String> problems, List<String> notes)
      throws IOException {
    Path input = config.input();
    boolean huggingFace = isHuggingFace(input);
    boolean megatron = isMegatron(input);
    if (huggingFace == megatron) {
      throw new CorruptCheckpointException(
          input,
          0,
          "checkpoint",
          "either a Hugging Face model (config.json and weights) or a Megatron checkpoint"
              + " (latest_checkpointed_iteration.txt, or an iteration's directory)",
          megatron ? "both" : Files.isDirectory(input) ? "neither" : "no directory");
    }
    return huggingFace
        ? HuggingFaceOrigin.open(config, families, problems, notes)
        : MegatronOrigin.open(config, families, problems, notes);
  }

  private static boolean isHuggingFace(Path input) {
    return Files.exists(input.resolve("config.json"));
  }

  private static boolean isMegatron(Path input) throws IOException {
    if (Files.exists(input.resolve("latest_checkpointed_iteration.txt"))
        || Files.exists(input.resolve("metadata.json"))
        || Files.exists(input.resolve(".metadata"))) {
      return true;
    }
    if (!Files.isDirectory(input)) {
      return false;
    }
    try (Stream<Path> children = Files.list(input)) {
      return children.anyMatch(child -> child.getFileName().toString().startsWith("mp_rank_"));
    }
  }

  /** The directory that holds the tensors. */
  Path path();

  /** For reports: {@code huggingface safetensors}, {@code megatron torch}. */
  String form();

  /** What it is, or null if the files do not say and it need not be known. */
  @Nullable Model model();

  /** The tensors as they are stored, under their own names. */
  TensorSource stored();

  /**
   * What has to come through: the tensors that count, with the values that move, the vocabulary's
   * padding cut off where its size is known.
   */
  TensorSource weights();

  /** The tensors whose values are not the stored ones, and what was done to them. */
  Map<String, String> changes();

  /**
   * The tensors with a row for each token: the embedding as 0 and, unless tied, the output layer as
   * 1.
   */
  Map<String, Integer> vocabularyTensors();

  /** Rows of those, padding aside; null if that is not known. */
  @Nullable Integer vocabSize();

  @Override
  void close() throws IOException;
}
