package io.github.pretrain4j.deploy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Looks at a Hugging Face folder before a byte of it leaves: required files, sizes, indexes,
 * headers, and whether configuration, tokenizer and weights belong together. Reports everything it
 * finds, not just the first thing. Reads headers and JSON only, so a large model takes no longer
 * than a small one.
 */
public final class Preflight {
  private static final long MAX_CONFIG_BYTES = 4 << 20;
  private static final Pattern LAYER = Pattern.compile("(?:.*\\.)?(?:layers|h)\\.(\\d{1,6})\\..*");
  private static final Pattern EMBEDDING =
      Pattern.compile("(?:.*\\.)?(?:embed_tokens|wte|word_embeddings)\\.weight");
  private static final Map<String, String> TYPE_NAMES =
      Map.of("F64", "float64", "F32", "float32", "F16", "float16", "BF16", "bfloat16");

  private final ModelFolder folder;
  private final @Nullable String transformers;

  private Preflight(ModelFolder folder, @Nullable String transformers) {
    this.folder = folder;
    this.transformers = transformers;
  }

  /**
   * Inspects {@code directory}.
   *
   * @param mode how the model will be asked; null if the tokenizer decides
   * @param transformersVersion the release that will load the folder, or null if none will
   * @throws IOException if {@code directory} itself cannot be listed; a damaged file is a finding
   */
  public static PreflightReport inspect(
      Path directory, @Nullable GenerationMode mode, @Nullable String transformersVersion)
      throws IOException {
    if (!Files.isDirectory(directory)) {
      throw new DeployException(
          directory + (Files.exists(directory) ? " is not a directory" : " does not exist"));
    }
    return new Preflight(ModelFolder.scan(directory), transformersVersion)
        .report(directory.toAbsolutePath().normalize(), mode);
  }

  private PreflightReport report(Path directory, @Nullable GenerationMode mode) {
    ObjectNode config = required("config.json");
    WeightFiles weights = WeightFiles.check(folder);
    TokenizerFiles tokenizer = TokenizerFiles.check(folder);
    ObjectNode generation = null;
    if (folder.has("generation_config.json")) {
      generation = folder.object("generation_config.json", MAX_CONFIG_BYTES);
    } else {
      folder.warning(
          "generation-config", "", "no generation_config.json: the server's defaults apply");
    }
    if (mode == GenerationMode.CHAT && !tokenizer.chatTemplate()) {
      folder.warning(
          "chat-template", "", "chat was asked for, but the tokenizer has no chat template");
    }
    SortedMap<String, SafetensorsHeader.Tensor> tensors = weights.tensors();
    String dataType = tensors == null ? null : mainType(tensors);
    if (config != null) {
      checkConfig(config);
      checkTokenIds("config.json", config, config);
      if (generation != null) {
        checkTokenIds("generation_config.json", generation, config);
      }
      checkTokenizerSize(config, tokenizer.size());
      if (tensors != null) {
        checkTensors(config, tensors);
        checkDataType(config, String.valueOf(dataType));
      }
    }
    return new PreflightReport(
        directory.toString(),
        config == null ? null : text(config, "model_type"),
        dataType != null || config == null ? dataType : declaredType(config),
        weights.format(),
        tensors == null
            ? null
            : tensors.values().stream().mapToLong(SafetensorsHeader.Tensor::elementCount).sum(),
        config == null ? null : positive(config, "vocab_size"),
        tokenizer.size(),
        config == null ? null : text(config, "transformers_version"),
        tokenizer.chatTemplate(),
        folder.files(),
        folder.totalBytes(),
        folder.findings().stream().sorted(Comparator.comparing(Finding::severity)).toList());
  }

  private @Nullable ObjectNode required(String file) {
    if (!folder.has(file)) {
      folder.error("config", "", "no " + file);
      return null;
    }
    return folder.object(file, MAX_CONFIG_BYTES);
  }

  private void checkConfig(ObjectNode config) {
    String file = "config.json";
    if (config.path("architectures").path(0).asText().isEmpty()) {
      folder.error("config", file, "has no architectures");
    }
    if (text(config, "model_type") == null) {
      folder.error("config", file, "has no model_type");
    }
    for (String key : List.of("vocab_size", "hidden_size", "num_hidden_layers")) {
      if (config.has(key) && positive(config, key) == null) {
        folder.error("config", file, key + " is not a positive number: " + config.get(key));
      }
    }
    if (!config.has("vocab_size")) {
      folder.error("config", file, "has no vocab_size");
    }
    if (declaredType(config) == null) {
      folder.warning(
          "data-type", file, "has neither torch_dtype nor dtype: loaders may widen to float32");
    }
    for (JsonNode reference : config.path("auto_map")) {
      String module = reference.asText();
      int dot = module.indexOf('.');
      String code = (dot < 0 ? module : module.substring(0, dot)) + ".py";
      if (!module.contains("--") && !folder.has(code)) {
        folder.warning("auto-map", file, "auto_map needs " + code + ", which is not there");
      }
    }
    checkTransformers(config);
  }

  private void checkTransformers(ObjectNode config) {
    String file = "config.json";
    String written = text(config, "transformers_version");
    if (written == null) {
      folder.warning("transformers", file, "has no transformers_version");
      return;
    }
    TransformersVersion writer = TransformersVersion.parse(written);
    if (writer == null) {
      folder.warning("transformers", file, "transformers_version is not one: '" + written + "'");
      return;
    }
    TransformersVersion reader =
        transformers == null ? null : TransformersVersion.parse(transformers);
    if (reader == null) {
      return;
    }
    if (reader.major() < 5 && config.has("rope_parameters") && !config.has("rope_theta")) {
      folder.error(
          "transformers",
          file,
          "has rope_parameters, which transformers "
              + transformers
              + " does not read: it would use the wrong rotary base; write a 4.x config");
    } else if (writer.compareTo(reader) > 0) {
      folder.warning(
          "transformers",
          file,
          "was written by transformers " + written + ", " + transformers + " will load it");
    }
  }

  /** Every special token id must have a row in the embedding. */
  private void checkTokenIds(String file, ObjectNode ids, ObjectNode config) {
    Long vocabulary = positive(config, "vocab_size");
    if (vocabulary == null) {
      return;
    }
    for (String key : List.of("bos_token_id", "eos_token_id", "pad_token_id")) {
      JsonNode node = ids.path(key);
      for (JsonNode id : node.isArray() ? node : List.of(node)) {
        if (id.isNumber() && (id.asLong() >= vocabulary || id.asLong() < -1)) {
          folder.error("token-id", file, key + " is " + id + ", vocab_size is " + vocabulary);
        }
      }
    }
  }

  private void checkTokenizerSize(ObjectNode config, @Nullable Long tokenizerSize) {
    Long vocabulary = positive(config, "vocab_size");
    if (vocabulary != null && tokenizerSize != null && tokenizerSize > vocabulary) {
      folder.error(
          "vocabulary",
          "config.json",
          "vocab_size is "
              + vocabulary
              + ", but the tokenizer has ids up to "
              + (tokenizerSize - 1));
    }
  }

  private void checkTensors(
      ObjectNode config, SortedMap<String, SafetensorsHeader.Tensor> tensors) {
    SortedMap<String, SafetensorsHeader.Tensor> tables = new TreeMap<>();
    tensors.forEach(
        (name, tensor) -> {
          if (EMBEDDING.matcher(name).matches() || name.equals("lm_head.weight")) {
            tables.put(name, tensor);
          }
        });
    tables.forEach((name, tensor) -> checkTable(config, name, tensor.shape()));
    if (tables.keySet().stream().allMatch("lm_head.weight"::equals)) {
      folder.warning("vocabulary", "", "no word embedding found among the tensors");
    }
    JsonNode tied = config.get("tie_word_embeddings");
    if (tied != null
        && tied.isBoolean()
        && !tied.asBoolean()
        && !tables.containsKey("lm_head.weight")) {
      folder.error(
          "tensors", "config.json", "embeddings are not tied, but there is no lm_head.weight");
    }
    checkLayers(config, tensors.keySet());
  }

  private void checkTable(ObjectNode config, String name, List<Long> shape) {
    Long vocabulary = positive(config, "vocab_size");
    Long hidden = positive(config, "hidden_size");
    if (shape.size() != 2) {
      folder.error("vocabulary", "", name + " has the shape " + shape + ", not two dimensions");
      return;
    }
    if (vocabulary != null && !shape.get(0).equals(vocabulary)) {
      folder.error(
          "vocabulary",
          "config.json",
          "vocab_size is "
              + vocabulary
              + ", but "
              + name
              + " has "
              + shape.get(0)
              + " rows"
              + (shape.get(0) > vocabulary ? ": was Megatron's vocabulary padding left in?" : ""));
    }
    if (hidden != null && !shape.get(1).equals(hidden)) {
      folder.error(
          "tensors",
          "config.json",
          "hidden_size is " + hidden + ", but " + name + " has rows of " + shape.get(1));
    }
  }

  private void checkLayers(ObjectNode config, Iterable<String> names) {
    Long layers = positive(config, "num_hidden_layers");
    SortedSet<Integer> found = new TreeSet<>();
    for (String name : names) {
      Matcher matcher = LAYER.matcher(name);
      if (matcher.matches()) {
        found.add(Integer.parseInt(matcher.group(1)));
      }
    }
    if (layers == null || found.isEmpty()) {
      return;
    }
    if (found.size() != layers || found.last() != layers - 1) {
      folder.error(
          "tensors",
          "config.json",
          "num_hidden_layers is "
              + layers
              + ", but the weights have "
              + found.size()
              + " layers, "
              + found.first()
              + " to "
              + found.last());
    }
  }

  private void checkDataType(ObjectNode config, String stored) {
    String declared = declaredType(config);
    if (declared != null && !declared.equals(stored)) {
      folder.warning(
          "data-type",
          "config.json",
          "says " + declared + ", but the weights are stored as " + stored);
    }
  }

  private static @Nullable String declaredType(ObjectNode config) {
    String type = text(config, "torch_dtype");
    return type == null ? text(config, "dtype") : type;
  }

  /** The type that most elements have. */
  private static String mainType(SortedMap<String, SafetensorsHeader.Tensor> tensors) {
    SortedMap<String, Long> elements = new TreeMap<>();
    tensors.values().forEach(t -> elements.merge(t.type(), t.elementCount(), Long::sum));
    String type =
        elements.entrySet().stream().max(Map.Entry.comparingByValue()).orElseThrow().getKey();
    return TYPE_NAMES.getOrDefault(type, type);
  }

  private static @Nullable String text(ObjectNode node, String key) {
    JsonNode value = node.get(key);
    return value == null || !value.isTextual() || value.asText().isBlank() ? null : value.asText();
  }

  private static @Nullable Long positive(ObjectNode node, String key) {
    JsonNode value = node.get(key);
    boolean valid =
        value != null && value.isIntegralNumber() && value.canConvertToLong() && value.asLong() > 0;
    return value == null || !valid ? null : value.asLong();
  }
}
