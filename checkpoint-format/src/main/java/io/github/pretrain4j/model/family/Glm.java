package io.github.pretrain4j.model.family;

import io.github.pretrain4j.model.HuggingFaceConfig;
import io.github.pretrain4j.model.ModelFamily;
import io.github.pretrain4j.model.TransformerConfig;
import io.github.pretrain4j.model.WeightMapping;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * GLM-4-9B as transformers has it: the Llama layout with gate and up in one tensor, a bias on
 * queries, keys and values, and rotary positions on a part of each head in interleaved order.
 */
public final class Glm implements ModelFamily {
  private static final double ROTARY_PERCENT = 0.5;

  @Override
  public String name() {
    return "glm";
  }

  @Override
  public TransformerConfig config(HuggingFaceConfig source) {
    source.require("hidden_act", "silu", "swish");
    return TransformerConfig.decoderFields(source)
        .qkvBias(source.flagOr("attention_bias", false))
        .rotaryPercent(source.rotaryPercent(ROTARY_PERCENT))
        .rotaryInterleaved(true)
        .build(source);
  }

  @Override
  public WeightMapping weights(TransformerConfig config) {
    String fc1 = "decoder.layers.*.mlp.linear_fc1.weight";
    return WeightMapping.llamaLayout(config)
        .without(fc1)
        .rename(fc1, "model.layers.*.mlp.gate_up_proj.weight");
  }

  @Override
  public Map<String, @Nullable Object> huggingFaceFields(TransformerConfig config) {
    Map<String, @Nullable Object> fields = ModelFamily.super.huggingFaceFields(config);
    fields.put("attention_bias", config.qkvBias());
    fields.put("partial_rotary_factor", config.rotaryPercent());
    return fields;
  }
}
