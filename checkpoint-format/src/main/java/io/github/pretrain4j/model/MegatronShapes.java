package io.github.pretrain4j.model;

import java.util.List;

/**
 * Shapes of the whole tensors of a dense Megatron-Core decoder, by name with a star for the layer.
 */
final class MegatronShapes {
  private MegatronShapes() {}

  static List<Long> of(TransformerConfig config, String name) {
    long hidden = config.hiddenSize();
    long heads = (long) config.numAttentionHeads() * config.kvChannels();
    long ffn = config.ffnHiddenSize();
    String layer = "decoder.layers.*.";
    return switch (name.startsWith(layer) ? name.substring(layer.length()) : "/" + name) {
      case "/embedding.word_embeddings.weight", "/output_layer.weight" ->
          List.of((long) config.vocabSize(), hidden);
      case "/decoder.final_layernorm.weight",
          "input_layernorm.weight",
          "pre_mlp_layernorm.weight",
          "self_attention.linear_proj.bias",
          "mlp.linear_fc2.bias" ->
          List.of(hidden);
      case "self_attention.linear_qkv.weight" -> List.of((long) config.qkvRows(), hidden);
      case "self_attention.linear_qkv.bias" -> List.of((long) config.qkvRows());
      case "self_attention.linear_proj.weight" -> List.of(hidden, heads);
      case "self_attention.q_layernorm.weight", "self_attention.k_layernorm.weight" ->
          List.of((long) config.kvChannels());
      case "mlp.linear_fc1.weight" -> List.of(2 * ffn, hidden);
      case "mlp.linear_fc1.bias" -> List.of(2 * ffn);
      case "mlp.linear_fc2.weight" -> List.of(hidden, ffn);
      default ->
          throw new IllegalArgumentException(
              "no known shape for " + name + ": give one to compose()");
    };
  }
}
