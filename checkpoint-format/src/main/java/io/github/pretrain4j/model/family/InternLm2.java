package io.github.pretrain4j.model.family;

import io.github.pretrain4j.model.HuggingFaceConfig;
import io.github.pretrain4j.model.ModelFamily;
import io.github.pretrain4j.model.TransformerConfig;
import io.github.pretrain4j.model.WeightMapping;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * InternLM2 and 2.5: Llama under other names, with queries, keys and values in one tensor. That one
 * has its rows by query group (query heads, key head, value head), as Megatron's has, so it is
 * copied whole.
 */
public final class InternLm2 implements ModelFamily {
  @Override
  public String name() {
    return "internlm2";
  }

  @Override
  public String architecture() {
    return "InternLM2ForCausalLM";
  }

  @Override
  public TransformerConfig config(HuggingFaceConfig source) {
    source.require("bias", false);
    return TransformerConfig.decoder(source);
  }

  @Override
  public WeightMapping weights(TransformerConfig config) {
    String layer = "decoder.layers.*.";
    String source = "model.layers.*.";
    return WeightMapping.empty(config)
        .rename("embedding.word_embeddings.weight", "model.tok_embeddings.weight")
        .rename(layer + "self_attention.linear_qkv.weight", source + "attention.wqkv.weight")
        .rename(layer + "self_attention.linear_proj.weight", source + "attention.wo.weight")
        .stack(
            layer + "mlp.linear_fc1.weight",
            source + "feed_forward.w1.weight",
            source + "feed_forward.w3.weight")
        .rename(layer + "mlp.linear_fc2.weight", source + "feed_forward.w2.weight")
        .rename(layer + "input_layernorm.weight", source + "attention_norm.weight")
        .rename(layer + "pre_mlp_layernorm.weight", source + "ffn_norm.weight")
        .rename("decoder.final_layernorm.weight", "model.norm.weight")
        .output("model.tok_embeddings.weight", "output.weight");
  }

  @Override
  public Map<String, @Nullable Object> huggingFaceFields(TransformerConfig config) {
    Map<String, @Nullable Object> fields = ModelFamily.super.huggingFaceFields(config);
    fields.put("bias", false);
    return fields;
  }
}
