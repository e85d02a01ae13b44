package io.github.pretrain4j.model;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A {@link TransformerConfig} as attributes of the {@code args} in a Megatron checkpoint, and back.
 *
 * <p>Values are {@link Long}, {@link Double}, {@link Boolean}, {@link String}, null, and {@link
 * List} and {@link Map} of them. What Megatron has no attribute for (the family, how rotary
 * positions are scaled in detail) lies in a dictionary under {@code pretrain4j}; Megatron ignores
 * it. Megatron's own converter leaves the rotary base and its scaling at their defaults, so of a
 * checkpoint without that dictionary they say nothing certain: see {@link #isOurs}.
 */
public final class MegatronArguments {
  private static final String OURS = "pretrain4j";

  private MegatronArguments() {}

  /** The attributes for {@code config}. */
  public static Map<String, @Nullable Object> of(TransformerConfig config) {
    Map<String, @Nullable Object> args = new LinkedHashMap<>();
    args.put("num_layers", (long) config.numLayers());
    args.put("encoder_num_layers", (long) config.numLayers());
    args.put("hidden_size", (long) config.hiddenSize());
    args.put("ffn_hidden_size", (long) config.ffnHiddenSize());
    args.put("num_attention_heads", (long) config.numAttentionHeads());
    args.put("group_query_attention", config.numQueryGroups() != config.numAttentionHeads());
    args.put("num_query_groups", (long) config.numQueryGroups());
    args.put("kv_channels", (long) config.kvChannels());
    args.put("vocab_size", (long) config.vocabSize());
    args.put("max_position_embeddings", (long) config.maxPositionEmbeddings());
    args.put("position_embedding_type", "rope");
    args.put("use_rotary_position_embeddings", true);
    args.put("rotary_base", wholeIfPossible(config.rotaryBase()));
    args.put("rotary_percent", 1.0);
    args.put("rotary_interleaved", false);
    RopeScaling scaling = config.ropeScaling();
    args.put(
        "rotary_seq_len_interpolation_factor",
        scaling instanceof RopeScaling.Linear linear ? wholeIfPossible(linear.factor()) : null);
    args.put("use_rope_scaling", scaling instanceof RopeScaling.Llama3);
    args.put(
        "rope_scaling_factor",
        scaling instanceof RopeScaling.Llama3 llama3 ? llama3.factor() : 8.0);
    args.put("normalization", "RMSNorm");
    args.put("norm_epsilon", config.normEpsilon());
    args.put("apply_layernorm_1p", false);
    args.put("add_bias_linear", false);
    args.put("add_qkv_bias", config.qkvBias());
    args.put("swiglu", true);
    args.put("squared_relu", false);
    args.put("openai_gelu", false);
    args.put("bias_gelu_fusion", false);
    args.put("qk_layernorm", config.qkLayernorm());
    args.put("untie_embeddings_and_output_weights", !config.tiedEmbeddings());
    args.put(
        "window_size",
        config.slidingWindow() == 0 ? null : List.of((long) config.slidingWindow() - 1, 0L));
    args.put("num_experts", null);
    args.put("multi_latent_attention", false);
    args.put("apply_query_key_layer_scaling", false);
    Map<String, @Nullable Object> ours = new LinkedHashMap<>();
    ours.put("family", config.family());
    ours.put("sliding_window", (long) config.slidingWindow());
    ours.put("rope_scaling", scalingFields(scaling));
    args.put(OURS, ours);
    return args;
  }

  private static @Nullable Map<String, Object> scalingFields(@Nullable RopeScaling scaling) {
    if (scaling instanceof RopeScaling.Linear linear) {
      Map<String, Object> fields = new LinkedHashMap<>();
      fields.put("rope_type", "linear");
      fields.put("factor", linear.factor());
      return fields;
    }
    if (scaling instanceof RopeScaling.Llama3 llama3) {
      Map<String, Object> fields = new LinkedHashMap<>();
      fields.put("rope_type", "llama3");
      fields.put("factor", llama3.factor());
      fields.put("low_freq_factor", llama3.lowFreqFactor());
      fields.put("high_freq_factor", llama3.highFreqFactor());
      fields.put("original_max_position_embeddings", (long) llama3.originalMaxPositionEmbeddings());
      return fields;
    }
    return null;
  }

  private static Object wholeIfPossible(double value) {
    return value == Math.rint(value) && Math.abs(value) < 1L << 53 ? (Object) (long) value : value;
  }

  /** Whether this library wrote them, so that every field of the configuration can be relied on. */
  public static boolean isOurs(Map<String, ? extends @Nullable Object> args) {
    return args.get(OURS) instanceof Map;
  }

  /**
   * The configuration that the attributes describe.
   *
   * @param file where they come from, for messages
   * @param family the family of a checkpoint that does not record it, or null to insist on the
   *     record
   */
  public static TransformerConfig config(
      Path file, Map<String, ? extends @Nullable Object> args, @Nullable String family)
      throws InvalidConfigException {
    Fields fields = new Fields(file, args, "args.");
    fields.require("position_embedding_type", "rope");
    fields.require("normalization", "RMSNorm");
    fields.require("swiglu", true);
    fields.require("add_bias_linear", false);
    fields.requireAbsentOr("num_experts", 0L);
    fields.requireAbsentOr("multi_latent_attention", false);
    fields.requireAbsentOr("apply_layernorm_1p", false);
    fields.requireAbsentOr("rotary_percent", 1.0);
    fields.requireAbsentOr("rotary_interleaved", false);
    int heads = fields.size("num_attention_heads");
    boolean ours = isOurs(args);
    Fields record = new Fields(file, ours ? asMap(args.get(OURS)) : Map.of(), "args." + OURS + ".");
    try {
      return TransformerConfig.builder()
          .family(familyName(record, ours, family))
          .numLayers(fields.size("num_layers"))
          .hiddenSize(fields.size("hidden_size"))
          .ffnHiddenSize(fields.size("ffn_hidden_size"))
          .numAttentionHeads(heads)
          .numQueryGroups(
              fields.flag("group_query_attention", false) ? fields.size("num_query_groups") : heads)
          .kvChannels(fields.size("kv_channels"))
          .vocabSize(
              args.get("vocab_size") == null
                  ? fields.size("padded_vocab_size")
                  : fields.size("vocab_size"))
          .maxPositionEmbeddings(fields.size("max_position_embeddings"))
          .normEpsilon(fields.number("norm_epsilon", 1e-5))
          .rotaryBase(fields.number("rotary_base", 10_000))
          .ropeScaling(ours ? scaling(file, record) : foreignScaling(fields))
          .slidingWindow(ours ? (int) record.number("sliding_window", 0) : foreignWindow(fields))
          .tiedEmbeddings(!fields.flag("untie_embeddings_and_output_weights", false))
          .qkvBias(fields.flag("add_qkv_bias", false))
          .qkLayernorm(fields.flag("qk_layernorm", false))
          .build();
    } catch (IllegalArgumentException e) {
      InvalidConfigException invalid =
          new InvalidConfigException(
              file, "args", "a consistent decoder", String.valueOf(e.getMessage()));
      invalid.initCause(e);
      throw invalid;
    }
  }

  private static String familyName(Fields record, boolean ours, @Nullable String family)
      throws InvalidConfigException {
    if (!ours) {
      if (family == null) {
        throw record.invalid("family", "the model family (this file does not record it)");
      }
      return family;
    }
    if (!(record.values.get("family") instanceof String recorded)
        || !ModelFamilies.isName(recorded)
        || (family != null && !family.equals(recorded))) {
      throw record.invalid("family", family == null ? "a family's name" : family);
    }
    return recorded;
  }

  private static @Nullable RopeScaling scaling(Path file, Fields record)
      throws InvalidConfigException {
    if (record.values.get("rope_scaling") == null) {
      return null;
    }
    Fields fields =
        new Fields(
            file, asMap(record.values.get("rope_scaling")), "args." + OURS + ".rope_scaling.");
    if ("linear".equals(fields.values.get("rope_type"))) {
      return new RopeScaling.Linear(fields.number("factor", 0));
    }
    if ("llama3".equals(fields.values.get("rope_type"))) {
      return new RopeScaling.Llama3(
          fields.number("factor", 0),
          fields.number("low_freq_factor", 0),
          fields.number("high_freq_factor", 0),
          fields.size("original_max_position_embeddings"));
    }
    throw fields.invalid("rope_type", "linear or llama3");
  }

  private static @Nullable RopeScaling foreignScaling(Fields fields) throws InvalidConfigException {
    if (fields.flag("use_rope_scaling", false)) {
      return new RopeScaling.Llama3(fields.number("rope_scaling_factor", 8), 1, 4, 8192);
    }
    double factor = fields.number("rotary_seq_len_interpolation_factor", 1);
    return factor == 1 ? null : new RopeScaling.Linear(factor);
  }

  private static int foreignWindow(Fields fields) throws InvalidConfigException {
    Object window = fields.values.get("window_size");
    if (window == null) {
      return 0;
    }
    if (window instanceof List<?> pair
        && pair.size() == 2
        && pair.get(0) instanceof Long left
        && left >= -1
        && left < Integer.MAX_VALUE) {
      return (int) (left + 1);
    }
    throw fields.invalid("window_size", "a pair of whole numbers");
  }

  private static Map<String, @Nullable Object> asMap(@Nullable Object value) {
    Map<String, @Nullable Object> map = new LinkedHashMap<>();
    if (value instanceof Map<?, ?> found) {
      found.forEach((key, item) -> map.put(String.valueOf(key), item));
    }
    return map;
  }

  /** Attributes with checked access. */
  private record Fields(Path file, Map<String, ? extends @Nullable Object> values, String path) {
    InvalidConfigException invalid(String name, String expected) {
      return new InvalidConfigException(
          file,
          path + name,
          expected,
          values.containsKey(name) ? String.valueOf(values.get(name)) : "nothing");
    }

    void require(String name, Object value) throws InvalidConfigException {
      if (!value.equals(values.get(name))) {
        throw invalid(name, value + " (nothing else is supported)");
      }
    }

    void requireAbsentOr(String name, Object value) throws InvalidConfigException {
      Object found = values.get(name);
      boolean same =
          (found instanceof Number number && value instanceof Number wanted)
              ? number.doubleValue() == wanted.doubleValue()
              : value.equals(found);
      if (found != null && !same) {
        throw invalid(name, value + " (nothing else is supported)");
      }
    }

    int size(String name) throws InvalidConfigException {
      if (values.get(name) instanceof Long number && number > 0 && number <= Integer.MAX_VALUE) {
        return (int) (long) number;
      }
      throw invalid(name, "a positive whole number");
    }

    double number(String name, double fallback) throws InvalidConfigException {
      Object value = values.get(name);
      if (value == null) {
        return fallback;
      }
      if (value instanceof Number number) {
        return number.doubleValue();
      }
      throw invalid(name, "a number");
    }

    boolean flag(String name, boolean fallback) throws InvalidConfigException {
      Object value = values.get(name);
      if (value == null) {
        return fallback;
      }
      if (value instanceof Boolean flag) {
        return flag;
      }
      throw invalid(name, "True or False");
    }
  }
}
