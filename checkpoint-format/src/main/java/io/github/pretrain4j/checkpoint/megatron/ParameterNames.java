package io.github.pretrain4j.checkpoint.megatron;

import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * The dialects of parameter names, translated to and from that of Megatron-Core's local layer
 * specification with a module for each expert.
 */
final class ParameterNames {
  /** Stands for the numbers of all experts of a rank. */
  static final String ALL_EXPERTS = "*";

  static final String EMBEDDING = "embedding.word_embeddings.weight";
  static final String OUTPUT = "output_layer.weight";

  /** A number short enough for an int, without zeros in front. */
  private static final String NUMBER = "(0|[1-9]\\d{0,8})";

  /** Group 1 the prefix, 2 the layer's number, 3 the rest with its dot. */
  private static final Pattern DECODER_LAYER =
      Pattern.compile("(decoder\\.layers\\.)" + NUMBER + "(\\..+)");

  /** Group 1 a layer with its dot, inside the decoder or a multi-token prediction, 2 the rest. */
  private static final Pattern LAYER =
      Pattern.compile(
          "(decoder\\.layers\\."
              + NUMBER.replace("(", "(?:")
              + "\\.|mtp\\.layers\\."
              + NUMBER.replace("(", "(?:")
              + "\\.transformer_layer\\.)(.+)");

  private static final Pattern NEW_PREDICTION =
      Pattern.compile("(mtp\\.layers\\.\\d+\\.)mtp_model_layer\\.(.+)");

  private static final Pattern EXTRA_STATE = Pattern.compile("(.*\\.)?_extra_state\\d*");

  private static final Pattern EXPERT =
      Pattern.compile("(.*\\.mlp\\.experts\\.local_experts\\.)" + NUMBER + "(\\..+)");
  private static final Pattern GROUPED =
      Pattern.compile("(.*\\.mlp\\.experts\\.)(linear_fc[12]\\.(?:weight|bias))" + NUMBER);
  private static final Pattern PACKED =
      Pattern.compile("(.*\\.mlp\\.experts\\.)(linear_fc[12]\\.weight)");
  private static final Pattern TRANSPOSED = Pattern.compile("(.*\\.mlp\\.experts\\.)weight([12])");

  /** What a norm is called inside the linear layer behind it, and alone. */
  private static final Map<String, String> FUSED_NORMS =
      Map.of(
          "self_attention.linear_qkv.", "input_layernorm.",
          "mlp.linear_fc1.", "pre_mlp_layernorm.",
          "self_attention.linear_q_up_proj.", "self_attention.q_layernorm.",
          "self_attention.linear_kv_up_proj.", "self_attention.kv_layernorm.");

  private static final String FUSED = "layer_norm_";

  /** Legacy layer modules and their successors. */
  private static final Map<String, String> LEGACY_MODULES =
      Map.ofEntries(
          Map.entry("input_norm", "input_layernorm"),
          Map.entry("input_layernorm", "input_layernorm"),
          Map.entry("self_attention.query_key_value", "self_attention.linear_qkv"),
          Map.entry("self_attention.dense", "self_attention.linear_proj"),
          Map.entry("attention.query_key_value", "self_attention.linear_qkv"),
          Map.entry("attention.dense", "self_attention.linear_proj"),
          Map.entry("post_attention_norm", "pre_mlp_layernorm"),
          Map.entry("post_attention_layernorm", "pre_mlp_layernorm"),
          Map.entry("mlp.dense_h_to_4h", "mlp.linear_fc1"),
          Map.entry("mlp.dense_4h_to_h", "mlp.linear_fc2"));

  /** Legacy parameters of models with Transformer Engine's layers, and their successors. */
  private static final Map<String, String> LEGACY_PARAMETERS =
      Map.ofEntries(
          Map.entry("self_attention.layernorm_qkv.layer_norm_weight", "input_layernorm.weight"),
          Map.entry("self_attention.layernorm_qkv.layer_norm_bias", "input_layernorm.bias"),
          Map.entry("self_attention.layernorm_qkv.weight", "self_attention.linear_qkv.weight"),
          Map.entry("self_attention.layernorm_qkv.bias", "self_attention.linear_qkv.bias"),
          Map.entry("self_attention.proj.weight", "self_attention.linear_proj.weight"),
          Map.entry("self_attention.proj.bias", "self_attention.linear_proj.bias"),
          Map.entry("layernorm_mlp.layer_norm_weight", "pre_mlp_layernorm.weight"),
          Map.entry("layernorm_mlp.layer_norm_bias", "pre_mlp_layernorm.bias"),
          Map.entry("layernorm_mlp.fc1_weight", "mlp.linear_fc1.weight"),
          Map.entry("layernorm_mlp.fc1_bias", "mlp.linear_fc1.bias"),
          Map.entry("layernorm_mlp.fc2_weight", "mlp.linear_fc2.weight"),
          Map.entry("layernorm_mlp.fc2_bias", "mlp.linear_fc2.bias"));

  /** The modules that writers call differently before Megatron-Core. */
  private static final Map<String, String> TO_LEGACY =
      Map.of(
          "input_layernorm", "input_norm",
          "self_attention.linear_qkv", "self_attention.query_key_value",
          "self_attention.linear_proj", "self_attention.dense",
          "pre_mlp_layernorm", "post_attention_norm",
          "mlp.linear_fc1", "mlp.dense_h_to_4h",
          "mlp.linear_fc2", "mlp.dense_4h_to_h");

  private static final Pattern LEGACY_LAYER =
      Pattern.compile("language_model\\.(?:encoder|transformer)\\.layers\\." + NUMBER + "\\.(.+)");
  private static final Pattern LEGACY_FINAL_NORM =
      Pattern.compile(
          "language_model\\.(?:encoder|transformer)\\.final_(?:norm|layernorm)\\.(weight|bias)");

  /** Entries of a model dictionary that are no parameters. */
  private static final Set<String> BUFFERS =
      Set.of("rotary_pos_emb.inv_freq", "router.local_tokens_per_expert");

  private ParameterNames() {}

  /** How a stored parameter holds experts. */
  enum Experts {
    /** It holds none, or one under its own number. */
    SINGLE,
    /** All of the rank, one after another. */
    PACKED,
    /** All of the rank, one after another, each transposed. */
    TRANSPOSED
  }

  /**
   * What a key of a model dictionary stands for.
   *
   * @param canonical layers and experts numbered as in the file; {@link #ALL_EXPERTS} for an
   *     expert's number if it holds all of the rank
   */
  record Meaning(String canonical, Experts experts) {}

  /** Whether an entry carries no weights. */
  static boolean isIgnored(String key) {
    return EXTRA_STATE.matcher(key).matches()
        || BUFFERS.stream().anyMatch(buffer -> key.equals(buffer) || key.endsWith("." + buffer));
  }

  static Meaning meaning(String key, boolean legacy) {
    String name = legacy ? fromLegacy(key) : key;
    Matcher prediction = NEW_PREDICTION.matcher(name);
    if (prediction.matches()) {
      name = prediction.group(1) + "transformer_layer." + prediction.group(2);
    }
    Matcher grouped = GROUPED.matcher(name);
    if (grouped.matches()) {
      return new Meaning(
          grouped.group(1) + "local_experts." + grouped.group(3) + "." + grouped.group(2),
          Experts.SINGLE);
    }
    Matcher packed = PACKED.matcher(name);
    if (packed.matches()) {
      return new Meaning(
          packed.group(1) + "local_experts." + ALL_EXPERTS + "." + packed.group(2), Experts.PACKED);
    }
    Matcher transposed = TRANSPOSED.matcher(name);
    if (transposed.matches()) {
      return new Meaning(
          transposed.group(1)
              + "local_experts."
              + ALL_EXPERTS
              + ".linear_fc"
              + transposed.group(2)
              + ".weight",
          Experts.TRANSPOSED);
    }
    return new Meaning(fromTransformerEngine(name), Experts.SINGLE);
  }

  private static String fromTransformerEngine(String name) {
    Matcher matcher = LAYER.matcher(name);
    int fused = name.lastIndexOf(FUSED);
    if (!matcher.matches() || fused < 0) {
      return name;
    }
    String norm = FUSED_NORMS.get(name.substring(Math.min(matcher.start(2), fused), fused));
    return norm == null ? name : matcher.group(1) + norm + name.substring(fused + FUSED.length());
  }

  /** Whether only Transformer Engine has such a parameter. */
  static boolean isTransformerEngine(String key) {
    return key.contains("." + FUSED);
  }

  private static String fromLegacy(String name) {
    Matcher layer = LEGACY_LAYER.matcher(name);
    if (layer.matches()) {
      String rest = layer.group(2);
      String prefix = "decoder.layers." + layer.group(1) + ".";
      String parameter = LEGACY_PARAMETERS.get(rest);
      if (parameter != null) {
        return prefix + parameter;
      }
      int dot = rest.lastIndexOf('.');
      String module = dot < 0 ? null : LEGACY_MODULES.get(rest.substring(0, dot));
      return module == null ? name : prefix + module + rest.substring(dot);
    }
    Matcher finalNorm = LEGACY_FINAL_NORM.matcher(name);
    if (finalNorm.matches()) {
      return "decoder.final_layernorm." + finalNorm.group(1);
    }
    return switch (name) {
      case "language_model.embedding.word_embeddings.weight" -> EMBEDDING;
      case "language_model.embedding.position_embeddings.weight" ->
          "embedding.position_embeddings.weight";
      case "language_model.output_layer.weight", "word_embeddings_for_head.weight" -> OUTPUT;
      default -> name;
    };
  }

  /**
   * The key of a parameter before Megatron-Core, or null if there was none like it.
   *
   * @param tied whether the output layer is a copy of the embedding
   */
  static @Nullable String toLegacy(String canonical, boolean tied) {
    Matcher layer = DECODER_LAYER.matcher(canonical);
    if (layer.matches()) {
      String rest = layer.group(3).substring(1);
      int dot = rest.lastIndexOf('.');
      String module = TO_LEGACY.get(rest.substring(0, dot));
      return module == null
          ? null
          : "language_model.encoder.layers." + layer.group(2) + "." + module + rest.substring(dot);
    }
    return switch (canonical) {
      case "decoder.final_layernorm.weight" -> "language_model.encoder.final_norm.weight";
      case "decoder.final_layernorm.bias" -> "language_model.encoder.final_norm.bias";
      case EMBEDDING, "embedding.position_embeddings.weight" -> "language_model." + canonical;
      case OUTPUT ->
          tied ? "word_embeddings_for_head.weight" : "language_model.output_layer.weight";
      default -> null;
    };
  }

  /** The number of a decoder layer, or -1. */
  static int layerOf(String name) {
    Matcher matcher = DECODER_LAYER.matcher(name);
    return matcher.matches() ? Integer.parseInt(matcher.group(2)) : -1;
  }

  /** The same parameter {@code offset} decoder layers further on. */
  static String shiftLayer(String name, int offset) {
    Matcher matcher = DECODER_LAYER.matcher(name);
    return matcher.matches()
        ? matcher.group(1) + (Integer.parseInt(matcher.group(2)) + offset) + matcher.group(3)
        : name;
  }

  /** The layer that holds a parameter, with its dot; null outside layers. */
  static @Nullable String layerPrefix(String name) {
    Matcher matcher = LAYER.matcher(name);
    return matcher.matches() ? matcher.group(1) : null;
  }

  /** The number of an expert, or -1. */
  static int expertOf(String name) {
    Matcher matcher = EXPERT.matcher(name);
    return matcher.matches() ? Integer.parseInt(matcher.group(2)) : -1;
  }

  /** The same parameter {@code offset} experts further on. */
  static String shiftExpert(String name, int offset) {
    Matcher matcher = EXPERT.matcher(name);
    return matcher.matches()
        ? matcher.group(1) + (Integer.parseInt(matcher.group(2)) + offset) + matcher.group(3)
        : name;
  }

  /** The same parameter of the expert with that number, in place of {@link #ALL_EXPERTS}. */
  static String ofExpert(String name, int expert) {
    return name.replace("local_experts." + ALL_EXPERTS, "local_experts." + expert);
  }
}
