package io.github.pretrain4j.generate;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.github.pretrain4j.backend.ComputeBackends;
import io.github.pretrain4j.backend.ComputeDevice;
import io.github.pretrain4j.backend.DeviceConfig;
import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.TensorSource;
import io.github.pretrain4j.checkpoint.huggingface.HuggingFaceCheckpoint;
import io.github.pretrain4j.checkpoint.megatron.MegatronCheckpoint;
import io.github.pretrain4j.model.HuggingFaceConfig;
import io.github.pretrain4j.model.MegatronArguments;
import io.github.pretrain4j.model.ModelFamilies;
import io.github.pretrain4j.model.ModelFamily;
import io.github.pretrain4j.model.TransformerConfig;
import io.github.pretrain4j.model.WeightMapping;
import io.github.pretrain4j.nn.LanguageModel;
import io.github.pretrain4j.nn.LanguageModels;
import io.github.pretrain4j.nn.WeightLoading;
import io.github.pretrain4j.tokenizer.Tokenizer;
import io.github.pretrain4j.tokenizer.Tokenizers;
import io.github.pretrain4j.tokenizer.sentencepiece.SentencePieceTokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Brings a model into memory: a Hugging Face folder, or a Megatron checkpoint of any tensor and
 * pipeline sizes.
 */
public final class ModelLoader {

  /**
   * The longest context unless asked otherwise: a cache for what some models could take would not
   * fit anywhere.
   */
  public static final int DEFAULT_CONTEXT = 4096;

  private static final String EMBEDDING = "embedding.word_embeddings.weight";

  /**
   * What the files do not say.
   *
   * @param tokenizer a tokenizer file or folder; null for the one in the Hugging Face folder
   * @param family the model family of a Megatron checkpoint that does not record it; else null
   * @param backend a compute backend's name, or {@code auto}
   * @param threads threads that compute
   * @param contextLength tokens of prompt and answer together; null for the model's own, up to
   *     {@link #DEFAULT_CONTEXT}
   * @param prependBos whether prompts start with the beginning-of-sequence token; null for what
   *     {@code tokenizer_config.json} says, without it yes, as Llama's tokenizers do; and no for a
   *     Megatron checkpoint, because Megatron's preprocessing puts none into the training data
   */
  public record Options(
      @Nullable Path tokenizer,
      @Nullable String family,
      String backend,
      int threads,
      @Nullable Integer contextLength,
      @Nullable Boolean prependBos) {

    /** Everything as the files say, on the best backend and all processors. */
    public static Options defaults() {
      return new Options(
          null, null, ComputeBackends.AUTO, DeviceConfig.ofAllProcessors().threads(), null, null);
    }

    public Options withTokenizer(Path file) {
      return new Options(file, family, backend, threads, contextLength, prependBos);
    }

    public Options withFamily(String name) {
      return new Options(tokenizer, name, backend, threads, contextLength, prependBos);
    }
  }

  /**
   * A checkpoint seen as Megatron's whole tensors.
   *
   * @param vocabularyIsKnown false if the configuration's vocabulary may be a padded one
   */
  private record Weights(
      TransformerConfig config, TensorSource tensors, boolean vocabularyIsKnown) {

    int rows(Path model) throws IOException {
      TensorInfo embedding = tensors.find(EMBEDDING);
      if (embedding == null) {
        throw new MismatchedModelException(model, EMBEDDING, "a tensor of that name", "none");
      }
      return Math.toIntExact(embedding.shape().getFirst());
    }
  }

  private ModelLoader() {}

  /** Whether {@code model} is a Hugging Face folder; else it is taken for a Megatron checkpoint. */
  public static boolean isHuggingFace(Path model) {
    return Files.exists(model.resolve("config.json"));
  }

  /**
   * Loads model and tokenizer. The caller closes the generator.
   *
   * @throws IOException if a file is missing or damaged, or files do not belong together
   * @throws IllegalArgumentException if the options are wrong
   */
  public static Generator load(Path model, Options options) throws IOException {
    Path tokenizer =
        options.tokenizer() == null && isHuggingFace(model) ? model : options.tokenizer();
    if (tokenizer == null) {
      throw new IllegalArgumentException(
          model + " has no config.json, and a Megatron checkpoint holds no tokenizer: name one");
    }
    return load(model, Tokenizers.load(tokenizer), options);
  }

  /** As {@link #load(Path, Options)}, with a tokenizer that is there already. */
  static Generator load(Path model, Tokenizer tokenizer, Options options) throws IOException {
    return isHuggingFace(model)
        ? loadHuggingFace(model, tokenizer, options)
        : loadMegatron(model, tokenizer, options);
  }

  private static Generator loadHuggingFace(Path model, Tokenizer tokenizer, Options options)
      throws IOException {
    ModelFamilies families = ModelFamilies.installed();
    HuggingFaceConfig source = HuggingFaceConfig.read(model);
    ModelFamily family = families.familyOf(source);
    try (HuggingFaceCheckpoint checkpoint = HuggingFaceCheckpoint.open(model)) {
      TransformerConfig config = families.config(source, checkpoint.tensors());
      WeightMapping mapping = family.weights(config);
      TensorSource weights = family.sourceTransform(config, checkpoint);
      List<String> problems = mapping.huggingFaceProblems(weights.tensors());
      if (!problems.isEmpty()) {
        throw new MismatchedModelException(
            model, "tensors", "those of config.json", String.join("; ", problems));
      }
      return build(
          model, new Weights(config, mapping.toMegatron(weights), true), tokenizer, options);
    }
  }

  private static Generator loadMegatron(Path model, Tokenizer tokenizer, Options options)
      throws IOException {
    try (MegatronCheckpoint checkpoint = MegatronCheckpoint.open(model)) {
      TransformerConfig config =
          MegatronArguments.config(
              checkpoint.directory(), checkpoint.arguments(), options.family());
      // Megatron itself records no vocab_size when it asks a tokenizer, only the padded one.
      boolean known = checkpoint.arguments().get("vocab_size") != null;
      return build(model, new Weights(config, checkpoint.fullTensors(), known), tokenizer, options);
    }
  }

  private static Generator build(Path path, Weights weights, Tokenizer tokenizer, Options options)
      throws IOException {
    TransformerConfig config = weights.config();
    int rows = weights.rows(path);
    checkTokenizer(path, weights, rows, tokenizer, options);
    int context = contextLength(config, options);
    boolean bos = tokenizer.bosId().isPresent() && prependBos(path, options);
    ComputeDevice device =
        ComputeBackends.find(options.backend()).open(new DeviceConfig(options.threads()));
    @Nullable LanguageModel model = null;
    try {
      model = LanguageModels.build(config, rows, context, false, device);
      WeightLoading.load(model, weights.tensors(), path.toString());
      // Rows that only pad the vocabulary were never trained: their logits are not looked at.
      int vocabulary = Math.min(tokenizer.vocabularySize(), rows);
      return new Generator(
          new DecoderNextTokenModel(device, model, vocabulary, context), tokenizer, bos);
    } catch (IOException | RuntimeException | Error e) { // nobody else can free what is half built
      if (model != null) {
        model.close();
      }
      device.close();
      throw e;
    }
  }

  /**
   * The converter's rule: no tokenizer has more ids than the embedding has rows; fewer than the
   * vocabulary are usual with a tokenizer.json, while a SentencePiece model with fewer is another
   * model's.
   */
  private static void checkTokenizer(
      Path path, Weights weights, int rows, Tokenizer tokenizer, Options options)
      throws IOException {
    int ids = tokenizer.vocabularySize();
    if (ids > rows) {
      throw new MismatchedModelException(
          path, "tokenizer", "at most " + rows + " ids, the rows of the embedding", ids);
    }
    int vocabulary = weights.config().vocabSize();
    if (weights.vocabularyIsKnown()
        && tokenizer instanceof SentencePieceTokenizer
        && Math.max(ids, addedSize(options.tokenizer() == null ? path : options.tokenizer()))
            < vocabulary) {
      throw new MismatchedModelException(
          path,
          "tokenizer",
          vocabulary + " ids, the model's vocabulary",
          ids + ": this is another model's tokenizer.model; give the one it was trained with");
    }
  }

  /** Highest id + 1 of the added_tokens.json beside a tokenizer; 0 if there is none. */
  private static int addedSize(Path tokenizer) throws IOException {
    Path name = Path.of("added_tokens.json");
    Path file =
        Files.isDirectory(tokenizer) ? tokenizer.resolve(name) : tokenizer.resolveSibling(name);
    int size = 0;
    if (Files.exists(file)) {
      for (JsonNode id : new JsonMapper().readTree(file.toFile())) {
        size = Math.max(size, id.asInt(-1) + 1);
      }
    }
    return size;
  }

  private static int contextLength(TransformerConfig config, Options options) {
    Integer wanted = options.contextLength();
    if (wanted == null) {
      return Math.min(DEFAULT_CONTEXT, config.maxPositionEmbeddings());
    }
    if (wanted < 2 || wanted > config.maxPositionEmbeddings()) {
      throw new IllegalArgumentException(
          "context length: expected 2 to %d (the model's positions), found %d"
              .formatted(config.maxPositionEmbeddings(), wanted));
    }
    return wanted;
  }

  private static boolean prependBos(Path model, Options options) throws IOException {
    if (options.prependBos() != null) {
      return options.prependBos();
    }
    Path file = model.resolve("tokenizer_config.json");
    if (!Files.exists(file)) {
      return isHuggingFace(model);
    }
    JsonNode flag = new JsonMapper().readTree(file.toFile()).path("add_bos_token");
    return flag.isBoolean() ? flag.booleanValue() : true;
  }
}
