package io.github.pretrain4j.convert;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.pretrain4j.checkpoint.DataType;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The text of a {@code config.json}, changed where the output differs from the model it describes.
 *
 * <p>Fields that nobody here understands stay as they are; so does the whole text if nothing
 * changes.
 *
 * <pre>
 *                 transformers 4                        transformers 5
 *   type          torch_dtype                           dtype
 *   rotation      rope_theta, rope_scaling              rope_parameters: both, rope_type "default"
 * </pre>
 */
final class ConfigJson {
  private static final ObjectMapper JSON =
      new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT);

  private final String text;
  private final ObjectNode root;
  private final ObjectNode original;

  private ConfigJson(String text, ObjectNode root) {
    this.text = text;
    this.root = root;
    this.original = root.deepCopy();
  }

  /**
   * The configuration in {@code text}.
   *
   * @throws IllegalArgumentException if that is no JSON object
   */
  static ConfigJson parse(String text) {
    try {
      if (JSON.readTree(text) instanceof ObjectNode object) {
        return new ConfigJson(text, object);
      }
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException("no JSON: " + e.getOriginalMessage(), e);
    }
    throw new IllegalArgumentException("no JSON object");
  }

  /** A new configuration of these fields. */
  static ConfigJson of(Map<String, ? extends @Nullable Object> fields) {
    ObjectNode root = JSON.valueToTree(fields);
    ConfigJson config = new ConfigJson("", root);
    config.original.removeAll();
    return config;
  }

  /** Says what type the weights have, under the name that is there already. */
  ConfigJson type(DataType type) {
    String field = root.has("dtype") ? "dtype" : "torch_dtype";
    if (!type.torchName().equals(root.path(field).asText())) {
      root.put(field, type.torchName());
    }
    return this;
  }

  /** Says how many rows the embedding has. */
  ConfigJson vocabSize(int vocabSize) {
    for (String field : new String[] {"vocab_size", "padded_vocab_size"}) { // ChatGLM's the latter
      if (root.has(field) && root.path(field).asInt() != vocabSize) {
        root.put(field, vocabSize);
      }
    }
    return this;
  }

  /** Says no longer that weights are stored in blocks of FP8. */
  ConfigJson withoutFp8() {
    if (root.path("quantization_config").path("quant_method").asText().equals("fp8")) {
      root.remove("quantization_config");
    }
    return this;
  }

  /** Spells it as {@code dialect} does. */
  ConfigJson dialect(@Nullable ConfigDialect dialect) {
    if (dialect == ConfigDialect.TRANSFORMERS_4) {
      rename("dtype", "torch_dtype");
      if (root.get("rope_parameters") instanceof ObjectNode parameters && isPlain(parameters)) {
        root.remove("rope_parameters");
        for (String field : new String[] {"rope_theta", "partial_rotary_factor"}) {
          JsonNode value = parameters.remove(field);
          if (value != null) {
            root.set(field, value);
          }
        }
        boolean scaled = !"default".equals(parameters.path("rope_type").asText("default"));
        root.set("rope_scaling", scaled ? parameters : root.nullNode());
      }
    } else if (dialect == ConfigDialect.TRANSFORMERS_5) {
      rename("torch_dtype", "dtype");
      if (root.has("rope_theta") && !root.has("rope_parameters")) {
        ObjectNode parameters = JSON.createObjectNode();
        if (root.remove("rope_scaling") instanceof ObjectNode scaling) {
          parameters.setAll(scaling);
          JsonNode type = parameters.remove("type");
          if (type != null && !parameters.has("rope_type")) {
            parameters.set("rope_type", type);
          }
        } else {
          parameters.put("rope_type", "default");
        }
        parameters.set("rope_theta", root.remove("rope_theta"));
        if (root.has("partial_rotary_factor")) {
          parameters.set("partial_rotary_factor", root.get("partial_rotary_factor"));
        }
        root.set("rope_parameters", parameters);
      }
    }
    return this;
  }

  /** Whether there is one rotation for all layers, and not one for each kind of layer. */
  private static boolean isPlain(ObjectNode parameters) {
    for (JsonNode value : parameters) {
      if (value.isObject()) {
        return false;
      }
    }
    return true;
  }

  private void rename(String from, String to) {
    JsonNode value = root.remove(from);
    if (value != null && !root.has(to)) {
      root.set(to, value);
    }
  }

  /** The text; the given one, byte for byte, if nothing has changed. */
  String text() {
    if (root.equals(original)) {
      return text;
    }
    try {
      return JSON.writeValueAsString(root) + "\n";
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("a tree of JSON can be written", e);
    }
  }
}
