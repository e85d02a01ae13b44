package io.github.pretrain4j.model;

import java.util.List;
import java.util.regex.Pattern;

/**
 * Shapes of the whole tensors of a Megatron-Core decoder, by name with a star for the layer and
 * another for the expert.
 */
final class MegatronShapes {
  private static final Pattern LAYER =
      Pattern.compile("decoder\\.layers\\.\\*\\.|mtp\\.layers\\.\\*\\.transformer_layer\\.");

  private MegatronShapes() {}

  static List<Long> of(TransformerConfig config, String name) {
    String inLayer = LAYER.matcher(name).replaceFirst("");
    List<Long> shape = inLayer.equals(name) ? outside(config, name) : inLayer(config, inLayer);
    if (shape.isEmpty()) {
      throw new IllegalArgumentException("no known shape for " + name + ": give one to compose()");
    }
    return shape;
  }

  private static List<Long> outside(TransformerConfig config, String name) {
    long hidden = config.hiddenSize();
    return switch (name) {
      case "embedding.word_embeddings.weight", "output_layer.weight" ->
          List.of((long) config.vocabSize(), hidden);
      case "decoder.final_layernorm.weight",
          "mtp.layers.*.enorm.weight",
          "mtp.layers.*.hnorm.weight",
          "mtp.layers.*.final_layernorm.weight" ->
          List.of(hidden);
      case "mtp.layers.*.eh_proj.weight" -> List.of(hidden, 2 * hidden);
      default -> List.of();
    };
  }

  private static List<Long> inLayer(TransformerConfig config, String name) {
    if (name.startsWith("self_attention.")) {
      LatentAttention latent = config.latentAttention();
      String module = name.substring("self_attention.".length());
      return latent == null ? attention(config, module) : attention(config, latent, module);
    }
    long hidden = config.hiddenSize();
    long ffn = config.ffnHiddenSize();
    return switch (name) {
      case "input_layernorm.weight", "pre_mlp_layernorm.weight", "mlp.linear_fc2.bias" ->
          List.of(hidden);
      case "mlp.linear_fc1.weight" -> List.of(2 * ffn, hidden);
      case "mlp.linear_fc1.bias" -> List.of(2 * ffn);
      case "mlp.linear_fc2.weight" -> List.of(hidden, ffn);
      default -> {
        MixtureOfExperts experts = config.mixtureOfExperts();
        yield experts == null ? List.of() : experts(experts, hidden, name);
      }
    };
  }

  private static List<Long> experts(MixtureOfExperts experts, long hidden, String name) {
    long ffn = experts.moeFfnHiddenSize();
    long shared = experts.sharedExpertFfnHiddenSize();
    return switch (name) {
      case "mlp.router.weight" -> List.of((long) experts.numExperts(), hidden);
      case "mlp.router.expert_bias" -> List.of((long) experts.numExperts());
      case "mlp.experts.local_experts.*.linear_fc1.weight" -> List.of(2 * ffn, hidden);
      case "mlp.experts.local_experts.*.linear_fc2.weight" -> List.of(hidden, ffn);
      case "mlp.shared_experts.linear_fc1.weight" -> List.of(2 * shared, hidden);
      case "mlp.shared_experts.linear_fc2.weight" -> List.of(hidden, shared);
      case "mlp.shared_experts.gate_weight" -> List.of(1L, hidden);
      default -> List.of();
    };
  }

  private static List<Long> attention(TransformerConfig config, String name) {
    long hidden = config.hiddenSize();
    long head = config.kvChannels();
    return switch (name) {
      case "linear_qkv.weight" -> List.of((long) config.qkvRows(), hidden);
      case "linear_qkv.bias" -> List.of((long) config.qkvRows());
      case "linear_proj.weight" -> List.of(hidden, config.numAttentionHeads() * head);
      case "linear_proj.bias" -> List.of(hidden);
      case "q_layernorm.weight", "k_layernorm.weight" -> List.of(head);
      default -> List.of();
    };
  }

  private static List<Long> attention(
      TransformerConfig config, LatentAttention latent, String name) {
    long hidden = config.hiddenSize();
    long heads = config.numAttentionHeads();
    long qRank = latent.qLoraRank();
    long kvRank = latent.kvLoraRank();
    long queryRows = heads * latent.qkChannels();
    return switch (name) {
      case "linear_q_proj.weight" -> List.of(queryRows, hidden);
      case "linear_q_down_proj.weight" -> List.of(qRank, hidden);
      case "q_layernorm.weight" -> List.of(qRank);
      case "linear_q_up_proj.weight" -> List.of(queryRows, qRank);
      case "linear_kv_down_proj.weight" -> List.of(kvRank + latent.qkPosEmbHeadDim(), hidden);
      case "kv_layernorm.weight" -> List.of(kvRank);
      case "linear_kv_up_proj.weight" ->
          List.of(heads * (latent.qkHeadDim() + latent.vHeadDim()), kvRank);
      case "linear_proj.weight" -> List.of(hidden, heads * latent.vHeadDim());
      default -> List.of();
    };
  }
}
