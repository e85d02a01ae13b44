package io.github.pretrain4j.model.family;

import io.github.pretrain4j.model.HuggingFaceConfig;
import io.github.pretrain4j.model.LatentAttention;
import io.github.pretrain4j.model.MixtureOfExperts;
import io.github.pretrain4j.model.TransformerConfig;
import io.github.pretrain4j.model.WeightMapping;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** What DeepSeek-V2 and V3 have in common. Readers are called within {@link Experts#read}. */
final class DeepseekLayout {
  private DeepseekLayout() {}

  /** All of the configuration but the experts. */
  static TransformerConfig.Builder config(HuggingFaceConfig source) {
    source.require("hidden_act", "silu", "swish");
    source.require("attention_bias", false);
    source.require("mlp_bias", false);
    int heads = source.size("num_attention_heads");
    source.require("num_key_value_heads", heads);
    LatentAttention latent =
        new LatentAttention(
            source.sizeOr("q_lora_rank", 0),
            source.size("kv_lora_rank"),
            source.size("qk_nope_head_dim"),
            source.size("qk_rope_head_dim"),
            source.size("v_head_dim"));
    return TransformerConfig.builder()
        .family(source.modelType())
        .numLayers(source.size("num_hidden_layers"))
        .hiddenSize(source.size("hidden_size"))
        .ffnHiddenSize(source.size("intermediate_size"))
        .numAttentionHeads(heads)
        .kvChannels(latent.qkChannels())
        .vocabSize(source.size("vocab_size"))
        .maxPositionEmbeddings(source.size("max_position_embeddings"))
        .normEpsilon(source.numberOr("rms_norm_eps", 1e-6))
        .rotaryBase(source.rotaryBase())
        .ropeScaling(source.ropeScaling())
        .tiedEmbeddings(source.flagOr("tie_word_embeddings", false))
        .qkLayernorm(true)
        .latentAttention(latent);
  }

  /** Sizes and layers of the experts. */
  static MixtureOfExperts experts(HuggingFaceConfig source) {
    int numLayers = source.size("num_hidden_layers");
    int dense = source.integerOr("first_k_dense_replace", 0);
    int every = source.sizeOr("moe_layer_freq", 1);
    List<Boolean> flags = new ArrayList<>();
    for (int layer = 0; layer < numLayers; layer++) {
      flags.add(layer >= dense && layer % every == 0);
    }
    int width = source.size("moe_intermediate_size");
    int shared = source.has("n_shared_experts") ? source.size("n_shared_experts") : 0;
    return MixtureOfExperts.of(
            source.size("n_routed_experts"), source.size("num_experts_per_tok"), width)
        .withLayerIsMoe(flags)
        .withSharedExpert(Math.multiplyExact(shared, width), false);
  }

  static WeightMapping weights(TransformerConfig config) {
    LatentAttention latent = config.latentAttention();
    if (latent == null) {
      throw new IllegalArgumentException("family " + config.family() + " without latent attention");
    }
    String layer = "decoder.layers.*.self_attention.";
    String source = "model.layers.*.self_attn.";
    WeightMapping mapping = WeightMapping.llamaLayout(config);
    if (latent.qLoraRank() == 0) {
      mapping = mapping.rename(layer + "linear_q_proj.weight", source + "q_proj.weight");
    } else {
      mapping =
          mapping
              .rename(layer + "linear_q_down_proj.weight", source + "q_a_proj.weight")
              .rename(layer + "q_layernorm.weight", source + "q_a_layernorm.weight")
              .rename(layer + "linear_q_up_proj.weight", source + "q_b_proj.weight");
    }
    mapping =
        mapping
            .rename(layer + "linear_kv_down_proj.weight", source + "kv_a_proj_with_mqa.weight")
            .rename(layer + "kv_layernorm.weight", source + "kv_a_layernorm.weight")
            .rename(layer + "linear_kv_up_proj.weight", source + "kv_b_proj.weight");
    String mlp = "model.layers.*.mlp.shared_experts.";
    if (Experts.of(config).sharedExpertFfnHiddenSize() > 0) {
      mapping =
          mapping.sharedExpert(
              mlp + "gate_proj.weight", mlp + "up_proj.weight", mlp + "down_proj.weight");
    }
    return Experts.add(mapping);
  }

  /** Writes what {@link #config}, {@link #experts} and the families read. */
  static void write(TransformerConfig config, Map<String, @Nullable Object> fields) {
    MixtureOfExperts experts = Experts.of(config);
    LatentAttention latent = config.latentAttention();
    if (latent == null) {
      throw new IllegalArgumentException("family " + config.family() + " without latent attention");
    }
    int shared = experts.sharedExpertFfnHiddenSize();
    if (shared % experts.moeFfnHiddenSize() != 0) {
      throw new IllegalArgumentException(
          "shared experts of width "
              + shared
              + " are no multiple of an expert's "
              + experts.moeFfnHiddenSize());
    }
    int dense = 0;
    while (!experts.isMoe(dense)) {
      dense++;
    }
    int every = 1;
    while (!layersAre(experts, config.numLayers(), dense, every)) {
      if (++every > config.numLayers()) {
        throw new IllegalArgumentException(
            "no first_k_dense_replace and moe_layer_freq give " + experts.layerIsMoe());
      }
    }
    fields.remove("head_dim");
    fields.put("attention_bias", false);
    fields.put("first_k_dense_replace", dense);
    fields.put("kv_lora_rank", latent.kvLoraRank());
    fields.put("moe_intermediate_size", experts.moeFfnHiddenSize());
    fields.put("moe_layer_freq", every);
    fields.put("n_group", experts.numGroups() == 0 ? 1 : experts.numGroups());
    fields.put("n_routed_experts", experts.numExperts());
    fields.put("n_shared_experts", shared == 0 ? null : shared / experts.moeFfnHiddenSize());
    fields.put("num_experts_per_tok", experts.topk());
    fields.put("q_lora_rank", latent.qLoraRank() == 0 ? null : latent.qLoraRank());
    fields.put("qk_nope_head_dim", latent.qkHeadDim());
    fields.put("qk_rope_head_dim", latent.qkPosEmbHeadDim());
    fields.put("routed_scaling_factor", experts.scalingFactor());
    fields.put("topk_group", experts.numGroups() == 0 ? 1 : experts.groupTopk());
    fields.put("v_head_dim", latent.vHeadDim());
  }

  private static boolean layersAre(MixtureOfExperts experts, int numLayers, int dense, int every) {
    for (int layer = 0; layer < numLayers; layer++) {
      if (experts.isMoe(layer) != (layer >= dense && layer % every == 0)) {
        return false;
      }
    }
    return true;
  }
}
