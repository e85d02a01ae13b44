package io.github.pretrain4j.model;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.pretrain4j.checkpoint.DataType;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * A Hugging Face {@code config.json}, read on demand under its own field names.
 *
 * <p>Both spellings are understood: transformers 4 ({@code torch_dtype}, {@code rope_theta}, {@code
 * rope_scaling}) and 5 ({@code dtype}, {@code rope_parameters}). A field that is null counts as
 * absent.
 *
 * <p>A {@link ModelFamily} reads through the accessors. They throw {@link UncheckedIOException}
 * around an {@link InvalidConfigException} that names file and field; {@link ModelFamilies#config}
 * turns it into the checked one. Immutable.
 */
public final class HuggingFaceConfig {
  private static final long MAX_BYTES = 16 << 20;
  private static final int MAX_SIZE = 1 << 28;
  private static final ObjectMapper JSON =
      new ObjectMapper()
          .configure(JsonParser.Feature.STRICT_DUPLICATE_DETECTION, true)
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);

  private final Path file;
  private final String json;
  private final ObjectNode root;

  private HuggingFaceConfig(Path file, String json, ObjectNode root) {
    this.file = file;
    this.json = json;
    this.root = root;
  }

  /** Reads {@code fileOrDirectory}, or the {@code config.json} in it. */
  public static HuggingFaceConfig read(Path fileOrDirectory) throws IOException {
    Path file =
        Files.isDirectory(fileOrDirectory)
            ? fileOrDirectory.resolve("config.json")
            : fileOrDirectory;
    try {
      long size = Files.size(file);
      if (size > MAX_BYTES) {
        throw new InvalidConfigException(
            file, "", "a JSON object of at most " + MAX_BYTES + " bytes", size + " bytes");
      }
      return parse(Files.readString(file, StandardCharsets.UTF_8), file);
    } catch (NoSuchFileException e) {
      InvalidConfigException missing =
          new InvalidConfigException(file, "", "a config.json", "no such file");
      missing.initCause(e);
      throw missing;
    } catch (CharacterCodingException e) {
      InvalidConfigException garbled =
          new InvalidConfigException(file, "", "UTF-8 text", "other bytes");
      garbled.initCause(e);
      throw garbled;
    }
  }

  /** Parses {@code json}; {@code file} is where it came from, for messages. */
  public static HuggingFaceConfig parse(String json, Path file) throws InvalidConfigException {
    try {
      JsonNode root = JSON.readTree(json);
      if (root instanceof ObjectNode object) {
        return new HuggingFaceConfig(file, json, object);
      }
      throw new InvalidConfigException(
          file, "", "a JSON object", root == null ? "nothing" : kind(root));
    } catch (JsonProcessingException e) {
      InvalidConfigException wrong =
          new InvalidConfigException(
              file,
              "",
              "a JSON object",
              e.getOriginalMessage()
                  + (e.getLocation() == null
                      ? ""
                      : " at line "
                          + e.getLocation().getLineNr()
                          + ", column "
                          + e.getLocation().getColumnNr()));
      wrong.initCause(e);
      throw wrong;
    }
  }

  /** Where it was read from. */
  public Path file() {
    return file;
  }

  /** The text, unchanged. */
  public String json() {
    return json;
  }

  /** The family's name. */
  public String modelType() {
    return text("model_type");
  }

  /** Whether the field is there and not null. */
  public boolean has(String field) {
    return root.hasNonNull(field);
  }

  /** Whether the field is written as null, which a family may tell from its absence. */
  public boolean isNull(String field) {
    return root.path(field).isNull();
  }

  /** A required text. */
  public String text(String field) {
    JsonNode node = required(field);
    if (!node.isTextual()) {
      throw invalid(field, "a text");
    }
    return node.textValue();
  }

  /** A required size: a whole number above zero. */
  public int size(String field) {
    return size(field, required(field));
  }

  /** A size, or {@code fallback} where the field is absent or null. */
  public int sizeOr(String field, int fallback) {
    JsonNode node = root.get(field);
    return node == null || node.isNull() ? fallback : size(field, node);
  }

  private int size(String field, JsonNode node) {
    if (!node.isIntegralNumber()
        || !node.canConvertToInt()
        || node.intValue() < 1
        || node.intValue() > MAX_SIZE) {
      throw invalid(field, "a whole number in 1.." + MAX_SIZE);
    }
    return node.intValue();
  }

  /** A whole number of any sign, or {@code fallback} where the field is absent or null. */
  public int integerOr(String field, int fallback) {
    JsonNode node = root.get(field);
    if (node == null || node.isNull()) {
      return fallback;
    }
    if (!node.isIntegralNumber() || !node.canConvertToInt()) {
      throw invalid(field, "a whole number");
    }
    return node.intValue();
  }

  /** A number, or {@code fallback} where the field is absent or null. */
  public double numberOr(String field, double fallback) {
    JsonNode node = root.get(field);
    if (node == null || node.isNull()) {
      return fallback;
    }
    if (!node.isNumber()) {
      throw invalid(field, "a number");
    }
    return node.doubleValue();
  }

  /** A boolean, or {@code fallback} where the field is absent or null. */
  public boolean flagOr(String field, boolean fallback) {
    JsonNode node = root.get(field);
    if (node == null || node.isNull()) {
      return fallback;
    }
    if (!node.isBoolean()) {
      throw invalid(field, "true or false");
    }
    return node.booleanValue();
  }

  /**
   * Demands that the field, where present, has one of these values: what this family can express.
   */
  public void require(String field, Object... allowed) {
    JsonNode node = root.get(field);
    if (node == null || node.isNull()) {
      return;
    }
    for (Object value : allowed) {
      boolean same =
          value instanceof Number number
              ? node.isNumber() && node.doubleValue() == number.doubleValue()
              : JSON.valueToTree(value).equals(node);
      if (same) {
        return;
      }
    }
    throw invalid(field, List.of(allowed).toString() + " (nothing else is supported)");
  }

  /** The type of the weights, where the file says it. */
  public Optional<DataType> dataType() {
    String field = has("dtype") ? "dtype" : "torch_dtype";
    if (!has(field)) {
      return Optional.empty();
    }
    String name = text(field);
    return Optional.ofNullable(
        switch (name.startsWith("torch.") ? name.substring(6) : name) {
          case "float64", "double" -> DataType.F64;
          case "float32", "float" -> DataType.F32;
          case "float16", "half" -> DataType.F16;
          case "bfloat16" -> DataType.BF16;
          case "auto" -> null;
          default -> throw invalid(field, "float64, float32, float16 or bfloat16");
        });
  }

  /** Base of the rotary frequencies; 10000 where neither spelling gives one. */
  public double rotaryBase() {
    JsonNode parameters = object("rope_parameters");
    if (parameters != null && parameters.hasNonNull("rope_theta")) {
      return number("rope_parameters", parameters, "rope_theta");
    }
    return numberOr("rope_theta", 10_000);
  }

  /** Scaling of the rotary positions, null when they are plain. */
  public @Nullable RopeScaling ropeScaling() {
    String field = has("rope_parameters") ? "rope_parameters" : "rope_scaling";
    JsonNode scaling = object(field);
    if (scaling == null) {
      return null;
    }
    String typeField = scaling.has("rope_type") ? "rope_type" : "type";
    JsonNode type = scaling.get(typeField);
    if (type == null && field.equals("rope_parameters")) {
      return null;
    }
    if (type == null || !type.isTextual()) {
      throw invalid(field + "." + typeField, "a text");
    }
    try {
      return switch (type.textValue()) {
        case "default" -> null;
        case "linear" -> new RopeScaling.Linear(number(field, scaling, "factor"));
        case "llama3" ->
            new RopeScaling.Llama3(
                number(field, scaling, "factor"),
                number(field, scaling, "low_freq_factor"),
                number(field, scaling, "high_freq_factor"),
                wholeNumber(field, scaling, "original_max_position_embeddings"));
        case "dynamic" -> new RopeScaling.DynamicNtk(number(field, scaling, "factor"));
        case "yarn" -> yarn(field, scaling);
        default ->
            throw invalid(field + "." + typeField, "one of default, linear, llama3, dynamic, yarn");
      };
    } catch (IllegalArgumentException e) {
      throw invalid(field, "a usable scaling (" + e.getMessage() + ")");
    }
  }

  private RopeScaling.Yarn yarn(String field, JsonNode scaling) {
    if (scaling.hasNonNull("attention_factor")) {
      throw invalid(field + ".attention_factor", "null (nothing else is supported)");
    }
    return new RopeScaling.Yarn(
        number(field, scaling, "factor"),
        wholeNumber(field, scaling, "original_max_position_embeddings"),
        scaling.hasNonNull("beta_fast") ? number(field, scaling, "beta_fast") : 32,
        scaling.hasNonNull("beta_slow") ? number(field, scaling, "beta_slow") : 1,
        scaling.hasNonNull("mscale") ? number(field, scaling, "mscale") : 0,
        scaling.hasNonNull("mscale_all_dim") ? number(field, scaling, "mscale_all_dim") : 0);
  }

  /** The share of each head that is rotated, in either spelling, or {@code fallback}. */
  public double rotaryPercent(double fallback) {
    JsonNode parameters = object("rope_parameters");
    if (parameters != null && parameters.hasNonNull("partial_rotary_factor")) {
      return number("rope_parameters", parameters, "partial_rotary_factor");
    }
    return numberOr("partial_rotary_factor", fallback);
  }

  /** A list of whole numbers; empty where the field is absent or null. */
  public List<Integer> integers(String field) {
    List<Integer> values = new ArrayList<>();
    for (JsonNode item : list(field)) {
      if (!item.isIntegralNumber() || !item.canConvertToInt()) {
        throw invalid(field, "a list of whole numbers");
      }
      values.add(item.intValue());
    }
    return values;
  }

  /** A list of texts; empty where the field is absent or null. */
  public List<String> texts(String field) {
    List<String> values = new ArrayList<>();
    for (JsonNode item : list(field)) {
      if (!item.isTextual()) {
        throw invalid(field, "a list of texts");
      }
      values.add(item.textValue());
    }
    return values;
  }

  private JsonNode list(String field) {
    JsonNode node = root.get(field);
    if (node == null || node.isNull()) {
      return JSON.createArrayNode();
    }
    if (!node.isArray()) {
      throw invalid(field, "a list");
    }
    return node;
  }

  private @Nullable JsonNode object(String field) {
    JsonNode node = root.get(field);
    if (node == null || node.isNull()) {
      return null;
    }
    if (!node.isObject()) {
      throw invalid(field, "an object");
    }
    return node;
  }

  private double number(String path, JsonNode parent, String field) {
    JsonNode node = parent.get(field);
    if (node == null || !node.isNumber()) {
      throw invalid(path + "." + field, "a number");
    }
    return node.doubleValue();
  }

  private int wholeNumber(String path, JsonNode parent, String field) {
    double value = number(path, parent, field);
    if (value != Math.rint(value) || Math.abs(value) > MAX_SIZE) {
      throw invalid(path + "." + field, "a whole number");
    }
    return (int) value;
  }

  private JsonNode required(String field) {
    JsonNode node = root.get(field);
    if (node == null || node.isNull()) {
      throw invalid(field, "a value");
    }
    return node;
  }

  /** What a family throws when a field does not hold what it needs. */
  public UncheckedIOException invalid(String field, String expected) {
    JsonNode node = root;
    for (String part : field.split("\\.", -1)) {
      node = part.isEmpty() ? node : node.path(part);
    }
    String found =
        node.isMissingNode()
            ? "nothing"
            : field.isEmpty() ? "this one" : abbreviate(node.toString());
    return new UncheckedIOException(new InvalidConfigException(file, field, expected, found));
  }

  private static String abbreviate(String text) {
    return text.length() <= 80 ? text : text.substring(0, 77) + "...";
  }

  private static String kind(JsonNode node) {
    return node.getNodeType().toString().toLowerCase(Locale.ROOT);
  }

  @Override
  public boolean equals(@Nullable Object other) {
    return other instanceof HuggingFaceConfig that && root.equals(that.root);
  }

  @Override
  public int hashCode() {
    return root.hashCode();
  }

  @Override
  public String toString() {
    return file + ": " + root;
  }
}
