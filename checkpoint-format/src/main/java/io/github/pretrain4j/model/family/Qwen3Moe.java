package io.github.pretrain4j.model.family;

import io.github.pretrain4j.model.HuggingFaceConfig;
import io.github.pretrain4j.model.ModelFamily;
import io.github.pretrain4j.model.TransformerConfig;
import io.github.pretrain4j.model.WeightMapping;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Qwen3 with experts, none of them for all tokens. */
public final class Qwen3Moe implements ModelFamily {
  @Override
  public String name() {
    return "qwen3_moe";
  }

  @Override
  public String architecture() {
    return "Qwen3MoeForCausalLM";
  }

  @Override
  public TransformerConfig config(HuggingFaceConfig source) {
    source.require("use_sliding_window", false);
    return TransformerConfig.decoder(source).toBuilder()
        .qkLayernorm(true)
        .mixtureOfExperts(Experts.read(source, () -> Experts.qwen(source, false)))
        .build(source);
  }

  @Override
  public WeightMapping weights(TransformerConfig config) {
    return Experts.add(Qwen3.normalisedHeads(WeightMapping.llamaLayout(config)));
  }

  @Override
  public Map<String, @Nullable Object> huggingFaceFields(TransformerConfig config) {
    Map<String, @Nullable Object> fields = ModelFamily.super.huggingFaceFields(config);
    fields.put("attention_bias", false);
    fields.put("use_sliding_window", false);
    Experts.writeQwen(config, fields);
    return fields;
  }
}
