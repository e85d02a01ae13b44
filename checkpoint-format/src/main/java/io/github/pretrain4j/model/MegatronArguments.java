package io.github.pretrain4j.model;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
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
    args.put("position_embedding_type", positionEmbeddingType(config));
    args.put(
        "use_rotary_position_embeddings", config.positionEmbedding() == PositionEmbedding.ROPE);
    args.put("rotary_base", wholeIfPossible(config.rotaryBase()));
    args.put("rotary_percent", config.rotaryPercent());
    args.put("rotary_interleaved", config.rotaryInterleaved());
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
    args.put("apply_layernorm_1p", config.zeroCenteredNorm());
    args.put("add_bias_linear", false);
    args.put("add_qkv_bias", config.qkvBias());
    args.put("swiglu", config.activation() == Activation.SWIGLU);
    args.put("squared_relu", false);
    args.put("openai_gelu", false);
    args.put("bias_gelu_fusion", false);
    args.put("qk_layernorm", config.qkLayernorm());
    args.put("untie_embeddings_and_output_weights", !config.tiedEmbeddings());
    args.put(
        "window_size",
        config.slidingWindow() == 0 ? null : List.of((long) config.slidingWindow() - 1, 0L));
    putYarn(args, config);
    putExperts(args, config);
    putLatentAttention(args, config.latentAttention());
    args.put("mtp_num_layers", config.numMtpLayers() == 0 ? null : (long) config.numMtpLayers());
    args.put("apply_query_key_layer_scaling", false);
    Map<String, @Nullable Object> ours = new LinkedHashMap<>();
    ours.put("family", config.family());
    ours.put("sliding_window", (long) config.slidingWindow());
    ours.put("rope_scaling", scalingFields(scaling));
    ours.put("position_embedding", config.positionEmbedding().name());
    ours.put("activation", config.activation().name());
    ours.put("embedding_scale", config.embeddingScale());
    args.put(OURS, ours);
    return args;
  }

  /** Megatron's name; {@code alibi} exists in forks only. */
  private static String positionEmbeddingType(TransformerConfig config) {
    if (config.positionEmbedding() == PositionEmbedding.ALIBI) {
      return "alibi";
    }
    return config.ropeScaling() instanceof RopeScaling.Yarn && config.latentAttention() == null
        ? "yarn"
        : "rope";
  }

  private static void putYarn(Map<String, @Nullable Object> args, TransformerConfig config) {
    RopeScaling.Yarn yarn = config.ropeScaling() instanceof RopeScaling.Yarn found ? found : null;
    if (config.latentAttention() != null) {
      args.put("rope_type", yarn == null ? "rope" : "yarn");
    }
    if (yarn != null) {
      args.put("rotary_scaling_factor", yarn.factor());
      args.put("mscale", yarn.mscale() == 0 ? 1.0 : yarn.mscale());
      args.put("mscale_all_dim", yarn.mscaleAllDim());
      if (config.latentAttention() == null) {
        args.put(
            "yarn_original_max_position_embeddings", (long) yarn.originalMaxPositionEmbeddings());
        args.put("yarn_beta_fast", yarn.betaFast());
        args.put("yarn_beta_slow", yarn.betaSlow());
      }
    }
  }

  private static void putExperts(Map<String, @Nullable Object> args, TransformerConfig config) {
    MixtureOfExperts experts = config.mixtureOfExperts();
    if (experts == null) {
      args.put("num_experts", null);
      return;
    }
    args.put("num_experts", (long) experts.numExperts());
    args.put("moe_router_topk", (long) experts.topk());
    args.put("moe_ffn_hidden_size", (long) experts.moeFfnHiddenSize());
    args.put(
        "moe_layer_freq",
        experts.layerIsMoe().isEmpty()
            ? (Object) 1L
            : experts.layerIsMoe().stream().map(moe -> moe ? 1L : 0L).toList());
    args.put(
        "moe_shared_expert_intermediate_size",
        experts.sharedExpertFfnHiddenSize() == 0
            ? null
            : (long) experts.sharedExpertFfnHiddenSize());
    args.put("moe_shared_expert_gate", experts.sharedExpertGate());
    args.put("moe_router_pre_softmax", experts.preSoftmax());
    args.put("moe_router_score_function", experts.scoreFunction().name().toLowerCase(Locale.ROOT));
    args.put("moe_router_enable_expert_bias", experts.expertBias());
    args.put("moe_router_num_groups", experts.numGroups() == 0 ? null : (long) experts.numGroups());
    args.put("moe_router_group_topk", experts.numGroups() == 0 ? null : (long) experts.groupTopk());
    args.put(
        "moe_router_topk_scaling_factor",
        experts.scalingFactor() == 1 ? null : experts.scalingFactor());
    args.put("moe_router_load_balancing_type", experts.auxLossCoeff() == 0 ? "none" : "aux_loss");
    args.put("moe_aux_loss_coeff", experts.auxLossCoeff());
  }

  private static void putLatentAttention(
      Map<String, @Nullable Object> args, @Nullable LatentAttention latent) {
    args.put("multi_latent_attention", latent != null);
    if (latent != null) {
      args.put("q_lora_rank", latent.qLoraRank() == 0 ? null : (long) latent.qLoraRank());
      args.put("kv_lora_rank", (long) latent.kvLoraRank());
      args.put("qk_head_dim", (long) latent.qkHeadDim());
      args.put("qk_pos_emb_head_dim", (long) latent.qkPosEmbHeadDim());
      args.put("v_head_dim", (long) latent.vHeadDim());
    }
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
    if (scaling instanceof RopeScaling.DynamicNtk dynamic) {
      Map<String, Object> fields = new LinkedHashMap<>();
      fields.put("rope_type", "dynamic");
      fields.put("factor", dynamic.factor());
      return fields;
    }
    if (scaling instanceof RopeScaling.Yarn yarn) {
      Map<String, Object> fields = new LinkedHashMap<>();
      fields.put("rope_type", "yarn");
      fields.put("factor", yarn.factor());
      fields.put("original_max_position_embeddings", (long) yarn.originalMaxPositionEmbeddings());
      fields.put("beta_fast", yarn.betaFast());
      fields.put("beta_slow", yarn.betaSlow());
      fields.put("mscale", yarn.mscale());
      fields.put("mscale_all_dim", yarn.mscaleAllDim());
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
    boolean ours = isOurs(args);
    if (!ours) {
      fields.require("position_embedding_type", "rope", "yarn");
      fields.require("swiglu", true);
    }
    fields.require("normalization", "RMSNorm");
    fields.require("add_bias_linear", false);
    int heads = fields.size("num_attention_heads");
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
          .positionEmbedding(record.constant("position_embedding", PositionEmbedding.ROPE))
          .rotaryPercent(fields.number("rotary_percent", 1))
          .rotaryInterleaved(fields.flag("rotary_interleaved", false))
          .activation(record.constant("activation", Activation.SWIGLU))
          .zeroCenteredNorm(fields.flag("apply_layernorm_1p", false))
          .embeddingScale(record.number("embedding_scale", 1))
          .numMtpLayers(fields.sizeOr("mtp_num_layers", 0))
          .mixtureOfExperts(experts(fields))
          .latentAttention(latentAttention(fields))
          .build();
    } catch (IllegalArgumentException e) {
      InvalidConfigException invalid =
          new InvalidConfigException(
              file, "args", "a consistent decoder", String.valueOf(e.getMessage()));
      invalid.initCause(e);
      throw invalid;
    }
  }

  private static @Nullable MixtureOfExperts experts(Fields fields) throws InvalidConfigException {
    int numExperts = fields.sizeOr("num_experts", 0);
    if (numExperts == 0) {
      return null;
    }
    int groups = fields.sizeOr("moe_router_num_groups", 0);
    return new MixtureOfExperts(
        numExperts,
        fields.sizeOr("moe_router_topk", 2),
        fields.values.get("moe_ffn_hidden_size") == null
            ? fields.size("ffn_hidden_size")
            : fields.size("moe_ffn_hidden_size"),
        fields.sizeOr("moe_shared_expert_intermediate_size", 0),
        fields.flag("moe_shared_expert_gate", false),
        layerIsMoe(fields),
        fields.flag("moe_router_pre_softmax", false),
        fields.constant("moe_router_score_function", MixtureOfExperts.ScoreFunction.SOFTMAX),
        fields.flag("moe_router_enable_expert_bias", false),
        groups,
        groups == 0 ? 0 : fields.size("moe_router_group_topk"),
        fields.number("moe_router_topk_scaling_factor", 1),
        auxLossCoeff(fields));
  }

  /** A whole number N: experts in every N-th layer from the first on; or a list of 0 and 1. */
  private static List<Boolean> layerIsMoe(Fields fields) throws InvalidConfigException {
    Object value = fields.values.get("moe_layer_freq");
    int numLayers = fields.size("num_layers");
    List<Boolean> flags = new ArrayList<>();
    if (value instanceof List<?> list && list.size() == numLayers) {
      for (Object item : list) {
        if (!(item instanceof Long number) || (number != 0 && number != 1)) {
          throw fields.invalid("moe_layer_freq", "a list of 0 and 1");
        }
        flags.add(number == 1);
      }
    } else if (value == null || value instanceof Long) {
      int every = fields.sizeOr("moe_layer_freq", 1);
      for (int layer = 0; layer < numLayers; layer++) {
        flags.add(layer % every == 0);
      }
    } else {
      throw fields.invalid("moe_layer_freq", "a whole number or one 0 or 1 for each layer");
    }
    return flags;
  }

  /** One number, or a list with one for each kind of loss. */
  private static double auxLossCoeff(Fields fields) throws InvalidConfigException {
    return fields.values.get("moe_aux_loss_coeff") instanceof List<?> list
            && list.size() == 1
            && list.get(0) instanceof Number number
        ? number.doubleValue()
        : fields.number("moe_aux_loss_coeff", 0);
  }

  private static @Nullable LatentAttention latentAttention(Fields fields)
      throws InvalidConfigException {
    if (!fields.flag("multi_latent_attention", false)) {
      return null;
    }
    return new LatentAttention(
        fields.sizeOr("q_lora_rank", 0),
        fields.size("kv_lora_rank"),
        fields.size("qk_head_dim"),
        fields.size("qk_pos_emb_head_dim"),
        fields.size("v_head_dim"));
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
    if ("dynamic".equals(fields.values.get("rope_type"))) {
      return new RopeScaling.DynamicNtk(fields.number("factor", 0));
    }
    if ("yarn".equals(fields.values.get("rope_type"))) {
      return new RopeScaling.Yarn(
          fields.number("factor", 0),
          fields.size("original_max_position_embeddings"),
          fields.number("beta_fast", 0),
          fields.number("beta_slow", 0),
          fields.number("mscale", 0),
          fields.number("mscale_all_dim", 0));
    }
    throw fields.invalid("rope_type", "linear, llama3, dynamic or yarn");
  }

  private static @Nullable RopeScaling foreignScaling(Fields fields) throws InvalidConfigException {
    if (fields.flag("use_rope_scaling", false)) {
      return new RopeScaling.Llama3(fields.number("rope_scaling_factor", 8), 1, 4, 8192);
    }
    boolean latent = fields.flag("multi_latent_attention", false);
    if (latent
        ? !"rope".equals(fields.values.get("rope_type"))
        : "yarn".equals(fields.values.get("position_embedding_type"))) {
      // With latent attention the command line leaves all but the factor and the scales at these.
      return new RopeScaling.Yarn(
          fields.number("rotary_scaling_factor", latent ? 40 : 1),
          fields.sizeOr(
              latent ? "original_max_position_embeddings" : "yarn_original_max_position_embeddings",
              4096),
          fields.number(latent ? "beta_fast" : "yarn_beta_fast", 32),
          fields.number(latent ? "beta_slow" : "yarn_beta_slow", 1),
          fields.number("mscale", 1),
          fields.number("mscale_all_dim", 0));
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

    void require(String name, Object... values) throws InvalidConfigException {
      List<Object> allowed = List.of(values);
      Object found = this.values.get(name);
      if (found == null || !allowed.contains(found)) {
        throw invalid(name, allowed + " (nothing else is supported)");
      }
    }

    /** A positive whole number, or {@code fallback} where there is none; 0 may say so too. */
    int sizeOr(String name, int fallback) throws InvalidConfigException {
      Object value = values.get(name);
      boolean none = value == null || (fallback == 0 && value.equals(0L));
      return none ? fallback : size(name);
    }

    /** The constant of that name, in any case, or {@code fallback} where there is none. */
    <E extends Enum<E>> E constant(String name, E fallback) throws InvalidConfigException {
      Object value = values.get(name);
      if (value == null) {
        return fallback;
      }
      for (E constant : fallback.getDeclaringClass().getEnumConstants()) {
        if (constant.name().equalsIgnoreCase(String.valueOf(value))) {
          return constant;
        }
      }
      throw invalid(
          name, "one of " + Arrays.toString(fallback.getDeclaringClass().getEnumConstants()));
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
