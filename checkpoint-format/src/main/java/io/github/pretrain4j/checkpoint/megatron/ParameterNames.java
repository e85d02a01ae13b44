package io.github.pretrain4j.checkpoint.megatron;

import io.github.pretrain4j.checkpoint.PickleObject;
import io.github.pretrain4j.checkpoint.TensorReference;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The dialects of parameter names, translated to and from that of Megatron-Core's local layer
 * specification.
 */
final class ParameterNames {
  /** Group 1 the prefix, 2 the layer's number, 3 the rest with its dot. */
  private static final Pattern LAYER = Pattern.compile("(decoder\\.layers\\.)(\\d{1,9})(\\..+)");

  private static final Pattern EXTRA_STATE = Pattern.compile("(.*\\.)?_extra_state\\d*");

  private static final String INPUT_NORM = "input_layernorm.";
  private static final String MLP_NORM = "pre_mlp_layernorm.";
  private static final String QKV = "self_attention.linear_qkv.";
  private static final String FC1 = "mlp.linear_fc1.";

  /** Modules that own an {@code _extra_state} under Transformer Engine, whatever its version. */
  private static final Set<String> LINEAR_MODULES =
      Set.of(
          "self_attention.linear_proj",
          "self_attention.linear_qkv",
          "mlp.linear_fc1",
          "mlp.linear_fc2");

  /** Legacy layer modules and their successors. */
  private static final Map<String, String> LEGACY_MODULES =
      Map.ofEntries(
          Map.entry("input_norm", "input_layernorm"),
          Map.entry("input_layernorm", "input_layernorm"),
          Map.entry("self_attention.query_key_value", "self_attention.linear_qkv"),
          Map.entry("self_attention.dense", "self_attention.linear_proj"),
          Map.entry("post_attention_norm", "pre_mlp_layernorm"),
          Map.entry("post_attention_layernorm", "pre_mlp_layernorm"),
          Map.entry("mlp.dense_h_to_4h", "mlp.linear_fc1"),
          Map.entry("mlp.dense_4h_to_h", "mlp.linear_fc2"));

  private ParameterNames() {}

  /** The tensors of a rank's model by canonical name, layers still numbered as in the file. */
  static Map<String, TensorReference> read(PickleObject.PyDict model, List<String> problems) {
    Map<String, PickleObject> leaves = new LinkedHashMap<>();
    boolean legacy = model.get("language_model") != null;
    flatten("", model, leaves);
    Map<String, TensorReference> tensors = new LinkedHashMap<>();
    leaves.forEach(
        (name, value) -> {
          if (EXTRA_STATE.matcher(name).matches() || name.endsWith("rotary_pos_emb.inv_freq")) {
            return;
          }
          if (!(value instanceof TensorReference tensor)) {
            problems.add("model entry " + name + " is not a tensor");
            return;
          }
          String canonical = legacy ? fromLegacy(name) : fromTransformerEngine(name);
          if (tensors.put(canonical, tensor) != null) {
            problems.add("two tensors for " + canonical);
          }
        });
    return tensors;
  }

  private static void flatten(
      String prefix, PickleObject.PyDict dict, Map<String, PickleObject> leaves) {
    dict.stringEntries()
        .forEach(
            (key, value) -> {
              if (value instanceof PickleObject.PyDict nested) {
                flatten(prefix + key + ".", nested, leaves);
              } else {
                leaves.put(prefix + key, value);
              }
            });
  }

  static String fromTransformerEngine(String name) {
    Matcher matcher = LAYER.matcher(name);
    if (!matcher.matches()) {
      return name;
    }
    String layer = matcher.group(1) + matcher.group(2) + ".";
    return switch (matcher.group(3)) {
      case "." + QKV + "layer_norm_weight" -> layer + INPUT_NORM + "weight";
      case "." + QKV + "layer_norm_bias" -> layer + INPUT_NORM + "bias";
      case "." + FC1 + "layer_norm_weight" -> layer + MLP_NORM + "weight";
      case "." + FC1 + "layer_norm_bias" -> layer + MLP_NORM + "bias";
      default -> name;
    };
  }

  private static final Pattern LEGACY_LAYER =
      Pattern.compile(
          "language_model\\.(?:encoder|transformer)\\.layers\\.(\\d+)\\.(.+)\\.(weight|bias)");
  private static final Pattern LEGACY_FINAL_NORM =
      Pattern.compile(
          "language_model\\.(?:encoder|transformer)\\.final_(?:norm|layernorm)\\.(weight|bias)");

  private static String fromLegacy(String name) {
    Matcher layer = LEGACY_LAYER.matcher(name);
    if (layer.matches()) {
      String module = LEGACY_MODULES.get(layer.group(2));
      return module == null
          ? name
          : "decoder.layers." + layer.group(1) + "." + module + "." + layer.group(3);
    }
    Matcher finalNorm = LEGACY_FINAL_NORM.matcher(name);
    if (finalNorm.matches()) {
      return "decoder.final_layernorm." + finalNorm.group(1);
    }
    return switch (name) {
      case "language_model.embedding.word_embeddings.weight" -> "embedding.word_embeddings.weight";
      case "language_model.embedding.position_embeddings.weight" ->
          "embedding.position_embeddings.weight";
      case "language_model.output_layer.weight", "word_embeddings_for_head.weight" ->
          "output_layer.weight";
      default -> name;
    };
  }

  /** The layer's number, or -1. */
  static int layerOf(String name) {
    Matcher matcher = LAYER.matcher(name);
    return matcher.matches() ? Integer.parseInt(matcher.group(2)) : -1;
  }

  /** The same parameter {@code offset} layers further on. */
  static String shiftLayer(String name, int offset) {
    Matcher matcher = LAYER.matcher(name);
    return matcher.matches()
        ? matcher.group(1) + (Integer.parseInt(matcher.group(2)) + offset) + matcher.group(3)
        : name;
  }

  /**
   * A key of a rank's model dictionary, and the canonical name behind it; empty for an {@code
   * _extra_state}.
   */
  record Key(String written, String canonical) {}

  /**
   * The keys of a model dictionary in the order of Megatron's modules.
   *
   * @param canonical in that order, under the local specification, layers numbered as in the file
   */
  static List<Key> keys(List<String> canonical, LayerSpec spec) {
    List<Key> keys = new ArrayList<>();
    if (spec == LayerSpec.LOCAL) {
      canonical.forEach(name -> keys.add(new Key(name, name)));
      return keys;
    }
    Set<String> names = new LinkedHashSet<>(canonical);
    List<Key> waiting = new ArrayList<>();
    for (String name : names) {
      Key key = new Key(toTransformerEngine(name, names), name);
      if (name.contains(INPUT_NORM) && key.written.contains(QKV)) {
        waiting.add(key);
        continue;
      }
      if (name.contains(QKV)) {
        keys.addAll(waiting);
        waiting.clear();
      }
      keys.add(key);
    }
    return withExtraStates(keys);
  }

  private static List<Key> withExtraStates(List<Key> keys) {
    List<Key> result = new ArrayList<>();
    for (int i = 0; i < keys.size(); i++) {
      result.add(keys.get(i));
      String module = module(keys.get(i).written);
      String next = i + 1 < keys.size() ? module(keys.get(i + 1).written) : "";
      Matcher matcher = LAYER.matcher(module);
      if (!module.equals(next)
          && matcher.matches()
          && LINEAR_MODULES.contains(matcher.group(3).substring(1))) {
        result.add(new Key(module + "._extra_state", ""));
      }
    }
    return result;
  }

  private static String module(String name) {
    return name.substring(0, Math.max(0, name.lastIndexOf('.')));
  }

  /**
   * A norm is fused into the linear layer behind it if the model has that layer: experts' norms
   * stand alone.
   */
  private static String toTransformerEngine(String name, Set<String> names) {
    Matcher matcher = LAYER.matcher(name);
    if (!matcher.matches()) {
      return name;
    }
    String layer = matcher.group(1) + matcher.group(2) + ".";
    String rest = matcher.group(3).substring(1);
    if (rest.startsWith(INPUT_NORM) && names.contains(layer + QKV + "weight")) {
      return layer + QKV + "layer_norm_" + rest.substring(INPUT_NORM.length());
    }
    if (rest.startsWith(MLP_NORM) && names.contains(layer + FC1 + "weight")) {
      return layer + FC1 + "layer_norm_" + rest.substring(MLP_NORM.length());
    }
    return name;
  }
}
