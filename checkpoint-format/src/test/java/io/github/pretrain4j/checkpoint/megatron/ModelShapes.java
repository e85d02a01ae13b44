package io.github.pretrain4j.checkpoint.megatron;

import io.github.pretrain4j.checkpoint.DataType;
import io.github.pretrain4j.checkpoint.TensorInfo;
import java.util.ArrayList;
import java.util.List;

/** Small models of every kind of block, under canonical names. */
final class ModelShapes {
  static final int HIDDEN = 16;
  static final int LAYERS = 8;
  static final int EXPERTS = 8;
  private static final long VOCABULARY = 32;
  private static final long FFN = 24;
  private static final long EXPERT_FFN = 8;

  private final List<TensorInfo> tensors = new ArrayList<>();

  private ModelShapes() {}

  /** Grouped attention with biases and norms of queries and keys, MLPs without experts. */
  static List<TensorInfo> dense() {
    ModelShapes shapes = new ModelShapes();
    shapes.add("embedding.word_embeddings.weight", VOCABULARY, HIDDEN);
    for (int layer = 0; layer < LAYERS; layer++) {
      String prefix = "decoder.layers." + layer + ".";
      shapes.addGroupedAttention(prefix);
      shapes.add(prefix + "pre_mlp_layernorm.weight", HIDDEN);
      shapes.addMlp(prefix + "mlp.", FFN, true);
    }
    shapes.add("decoder.final_layernorm.weight", HIDDEN);
    shapes.add("output_layer.weight", VOCABULARY, HIDDEN);
    return shapes.tensors;
  }

  /** What the models before Megatron-Core can hold: biases everywhere, no gate. */
  static List<TensorInfo> plain() {
    ModelShapes shapes = new ModelShapes();
    shapes.add("embedding.word_embeddings.weight", VOCABULARY, HIDDEN);
    shapes.add("embedding.position_embeddings.weight", 10, HIDDEN);
    for (int layer = 0; layer < LAYERS; layer++) {
      String prefix = "decoder.layers." + layer + ".";
      for (String parameter : List.of("weight", "bias")) {
        shapes.add(prefix + "input_layernorm." + parameter, HIDDEN);
        shapes.add(prefix + "pre_mlp_layernorm." + parameter, HIDDEN);
      }
      shapes.add(prefix + "self_attention.linear_proj.weight", HIDDEN, 16);
      shapes.add(prefix + "self_attention.linear_proj.bias", HIDDEN);
      shapes.add(prefix + "self_attention.linear_qkv.weight", 32, HIDDEN);
      shapes.add(prefix + "self_attention.linear_qkv.bias", 32);
      shapes.addMlp(prefix + "mlp.", FFN, false);
      shapes.add(prefix + "mlp.linear_fc1.bias", FFN);
      shapes.add(prefix + "mlp.linear_fc2.bias", HIDDEN);
    }
    shapes.add("decoder.final_layernorm.weight", HIDDEN);
    shapes.add("decoder.final_layernorm.bias", HIDDEN);
    return shapes.tensors;
  }

  /** The first layer dense, then experts and a shared one; latent attention if asked for. */
  static List<TensorInfo> experts(boolean latentAttention, boolean prediction) {
    ModelShapes shapes = new ModelShapes();
    shapes.add("embedding.word_embeddings.weight", VOCABULARY, HIDDEN);
    for (int layer = 0; layer < LAYERS; layer++) {
      String prefix = "decoder.layers." + layer + ".";
      if (latentAttention) {
        shapes.addLatentAttention(prefix);
      } else {
        shapes.addGroupedAttention(prefix);
      }
      shapes.add(prefix + "pre_mlp_layernorm.weight", HIDDEN);
      if (layer == 0) {
        shapes.addMlp(prefix + "mlp.", FFN, true);
      } else {
        shapes.addExperts(prefix + "mlp.");
      }
    }
    shapes.add("decoder.final_layernorm.weight", HIDDEN);
    if (prediction) {
      shapes.add("mtp.layers.0.enorm.weight", HIDDEN);
      shapes.add("mtp.layers.0.hnorm.weight", HIDDEN);
      shapes.add("mtp.layers.0.eh_proj.weight", HIDDEN, 2 * HIDDEN);
      String prefix = "mtp.layers.0.transformer_layer.";
      shapes.addLatentAttention(prefix);
      shapes.add(prefix + "pre_mlp_layernorm.weight", HIDDEN);
      shapes.addExperts(prefix + "mlp.");
      shapes.add("mtp.layers.0.final_layernorm.weight", HIDDEN);
    }
    shapes.add("output_layer.weight", VOCABULARY, HIDDEN);
    return shapes.tensors;
  }

  private void addGroupedAttention(String prefix) {
    add(prefix + "input_layernorm.weight", HIDDEN);
    add(prefix + "self_attention.linear_proj.weight", HIDDEN, 32);
    add(prefix + "self_attention.linear_qkv.weight", 64, HIDDEN);
    add(prefix + "self_attention.linear_qkv.bias", 64);
    add(prefix + "self_attention.q_layernorm.weight", 4);
    add(prefix + "self_attention.k_layernorm.weight", 4);
  }

  /** Ranks 12 and 8, rotated part 16, so that a split matrix could pass for a whole one. */
  private void addLatentAttention(String prefix) {
    add(prefix + "input_layernorm.weight", HIDDEN);
    add(prefix + "self_attention.linear_proj.weight", HIDDEN, 32);
    add(prefix + "self_attention.linear_q_down_proj.weight", 12, HIDDEN);
    add(prefix + "self_attention.linear_q_up_proj.weight", 48, 12);
    add(prefix + "self_attention.linear_kv_down_proj.weight", 24, HIDDEN);
    add(prefix + "self_attention.linear_kv_up_proj.weight", 64, 8);
    add(prefix + "self_attention.q_layernorm.weight", 12);
    add(prefix + "self_attention.kv_layernorm.weight", 8);
  }

  private void addMlp(String prefix, long width, boolean gated) {
    add(prefix + "linear_fc1.weight", gated ? 2 * width : width, HIDDEN);
    add(prefix + "linear_fc2.weight", HIDDEN, width);
  }

  private void addExperts(String prefix) {
    add(prefix + "router.weight", EXPERTS, HIDDEN);
    tensors.add(
        new TensorInfo(prefix + "router.expert_bias", DataType.F32, List.of((long) EXPERTS)));
    for (int expert = 0; expert < EXPERTS; expert++) {
      addMlp(prefix + "experts.local_experts." + expert + ".", EXPERT_FFN, true);
    }
    add(prefix + "shared_experts.gate_weight", 1, HIDDEN);
    addMlp(prefix + "shared_experts.", FFN, true);
  }

  private void add(String name, long... shape) {
    List<Long> sizes = new ArrayList<>();
    for (long size : shape) {
      sizes.add(size);
    }
    tensors.add(new TensorInfo(name, DataType.BF16, sizes));
  }
}
