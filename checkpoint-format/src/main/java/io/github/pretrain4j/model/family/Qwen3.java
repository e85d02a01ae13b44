package io.github.pretrain4j.model.family;

import io.github.pretrain4j.model.HuggingFaceConfig;
import io.github.pretrain4j.model.ModelFamily;
import io.github.pretrain4j.model.TransformerConfig;
import io.github.pretrain4j.model.WeightMapping;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Qwen3: the Llama layout with normalised queries and keys, and no bias on them. */
public final class Qwen3 implements ModelFamily {
  @Override
  public String name() {
    return "qwen3";
  }

  @Override
  public TransformerConfig config(HuggingFaceConfig source) {
    return QwenWindow.read(source, TransformerConfig.decoder(source).withQkLayernorm(true));
  }

  @Override
  public WeightMapping weights(TransformerConfig config) {
    return normalisedHeads(WeightMapping.llamaLayout(config));
  }

  /** Adds the norms of queries and keys. */
  static WeightMapping normalisedHeads(WeightMapping mapping) {
    return mapping
        .rename(
            "decoder.layers.*.self_attention.q_layernorm.weight",
            "model.layers.*.self_attn.q_norm.weight")
        .rename(
            "decoder.layers.*.self_attention.k_layernorm.weight",
            "model.layers.*.self_attn.k_norm.weight");
  }

  @Override
  public Map<String, @Nullable Object> huggingFaceFields(TransformerConfig config) {
    Map<String, @Nullable Object> fields = ModelFamily.super.huggingFaceFields(config);
    fields.put("attention_bias", false);
    QwenWindow.write(config, fields);
    return fields;
  }
}
