package io.github.pretrain4j.model.family;

import io.github.pretrain4j.model.HuggingFaceConfig;
import io.github.pretrain4j.model.ModelFamily;
import io.github.pretrain4j.model.TransformerConfig;
import io.github.pretrain4j.model.WeightMapping;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * ChatGLM2 and 3 and GLM-4-9B as published with their own code: grouped-query attention with a bias
 * on queries, keys and values, rotary positions on the first half of each head in interleaved
 * order. Queries, keys and values are one tensor, all queries first; gate and up are another.
 *
 * <p>{@code rope_ratio} multiplies the rotary base, as in ChatGLM3 and GLM-4. In ChatGLM2's long
 * variant it divides positions instead; a configuration that names that model is refused.
 */
public final class ChatGlm implements ModelFamily {
  private static final double ROTARY_BASE = 10_000;

  @Override
  public String name() {
    return "chatglm";
  }

  @Override
  public String architecture() {
    return "ChatGLMModel";
  }

  @Override
  public TransformerConfig config(HuggingFaceConfig source) {
    source.require("rmsnorm", true);
    source.require("add_bias_linear", false);
    source.require("post_layer_norm", true);
    source.require("apply_residual_connection_post_layernorm", false);
    source.require("original_rope", true);
    source.require("interleaved_qkv", false);
    double ratio = source.numberOr("rope_ratio", 1);
    if (ratio != 1
        && source.has("_name_or_path")
        && source.text("_name_or_path").contains("chatglm2")) {
      throw source.invalid("rope_ratio", "1 in a ChatGLM2 (nothing else is supported)");
    }
    int heads = source.size("num_attention_heads");
    boolean grouped = source.flagOr("multi_query_attention", false);
    return TransformerConfig.builder()
        .family(name())
        .numLayers(source.size("num_layers"))
        .hiddenSize(source.size("hidden_size"))
        .ffnHiddenSize(source.size("ffn_hidden_size"))
        .numAttentionHeads(heads)
        .numQueryGroups(grouped ? source.size("multi_query_group_num") : heads)
        .kvChannels(source.size("kv_channels"))
        .vocabSize(source.size("padded_vocab_size"))
        .maxPositionEmbeddings(source.size("seq_length"))
        .normEpsilon(source.numberOr("layernorm_epsilon", 1e-5))
        .rotaryBase(ROTARY_BASE * ratio)
        .rotaryPercent(0.5)
        .rotaryInterleaved(true)
        .qkvBias(source.flagOr("add_qkv_bias", false))
        .tiedEmbeddings(source.flagOr("tie_word_embeddings", false))
        .build(source);
  }

  @Override
  public WeightMapping weights(TransformerConfig config) {
    String layer = "decoder.layers.*.";
    String source = "transformer.encoder.layers.*.";
    WeightMapping mapping =
        WeightMapping.empty(config)
            .rename(
                "embedding.word_embeddings.weight", "transformer.embedding.word_embeddings.weight")
            .rename(layer + "input_layernorm.weight", source + "input_layernorm.weight")
            .rename(
                layer + "self_attention.linear_proj.weight", source + "self_attention.dense.weight")
            .rename(layer + "pre_mlp_layernorm.weight", source + "post_attention_layernorm.weight")
            .rename(layer + "mlp.linear_fc1.weight", source + "mlp.dense_h_to_4h.weight")
            .rename(layer + "mlp.linear_fc2.weight", source + "mlp.dense_4h_to_h.weight")
            .rename("decoder.final_layernorm.weight", "transformer.encoder.final_layernorm.weight");
    String fused = source + "self_attention.query_key_value.";
    long rows = config.qkvRows();
    mapping =
        mapping.compose(
            layer + "self_attention.linear_qkv.weight",
            List.of(rows, (long) config.hiddenSize()),
            groups(config, fused + "weight"));
    if (config.qkvBias()) {
      mapping =
          mapping.compose(
              layer + "self_attention.linear_qkv.bias",
              List.of(rows),
              groups(config, fused + "bias"));
    }
    return mapping.output(
        "transformer.embedding.word_embeddings.weight", "transformer.output_layer.weight");
  }

  /** Megatron's rows by query group, out of a tensor with all queries, all keys, all values. */
  private static List<WeightMapping.Block> groups(TransformerConfig config, String name) {
    long queryRows = (long) config.numAttentionHeads() * config.kvChannels();
    long keyRows = (long) config.numQueryGroups() * config.kvChannels();
    Map<String, Long> first = Map.of("q", 0L, "k", queryRows, "v", queryRows + keyRows);
    List<WeightMapping.Block> blocks = new ArrayList<>();
    for (WeightMapping.Block block : WeightMapping.queryKeyValue(config, "q", "k", "v")) {
      long shift = first.getOrDefault(block.huggingFaceName(), 0L);
      blocks.add(new WeightMapping.Block(name, shift + block.firstRow(), block.rowCount()));
    }
    return blocks;
  }

  @Override
  public Map<String, @Nullable Object> huggingFaceFields(TransformerConfig config) {
    Map<String, @Nullable Object> fields = new LinkedHashMap<>();
    fields.put("architectures", List.of(architecture()));
    fields.put("model_type", name());
    fields.put("add_bias_linear", false);
    fields.put("add_qkv_bias", config.qkvBias());
    fields.put("apply_query_key_layer_scaling", true);
    fields.put("apply_residual_connection_post_layernorm", false);
    fields.put("attention_dropout", 0.0);
    fields.put("attention_softmax_in_fp32", true);
    fields.put("bias_dropout_fusion", true);
    fields.put("ffn_hidden_size", config.ffnHiddenSize());
    fields.put("fp32_residual_connection", false);
    fields.put("hidden_dropout", 0.0);
    fields.put("hidden_size", config.hiddenSize());
    fields.put("kv_channels", config.kvChannels());
    fields.put("layernorm_epsilon", config.normEpsilon());
    fields.put("multi_query_attention", config.numQueryGroups() < config.numAttentionHeads());
    fields.put("multi_query_group_num", config.numQueryGroups());
    fields.put("num_attention_heads", config.numAttentionHeads());
    fields.put("num_layers", config.numLayers());
    fields.put("original_rope", true);
    fields.put("padded_vocab_size", config.vocabSize());
    fields.put("post_layer_norm", true);
    fields.put("rmsnorm", true);
    fields.put("rope_ratio", config.rotaryBase() / ROTARY_BASE);
    fields.put("seq_length", config.maxPositionEmbeddings());
    fields.put("tie_word_embeddings", config.tiedEmbeddings());
    fields.put("use_cache", true);
    fields.put("vocab_size", config.vocabSize());
    return fields;
  }
}
