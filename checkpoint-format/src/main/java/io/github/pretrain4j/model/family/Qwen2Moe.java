package io.github.pretrain4j.model.family;

import io.github.pretrain4j.model.HuggingFaceConfig;
import io.github.pretrain4j.model.ModelFamily;
import io.github.pretrain4j.model.TransformerConfig;
import io.github.pretrain4j.model.WeightMapping;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Qwen1.5 and Qwen2 with experts: Qwen2 with many small ones and a gated one for all tokens. */
public final class Qwen2Moe implements ModelFamily {
  @Override
  public String name() {
    return "qwen2_moe";
  }

  @Override
  public String architecture() {
    return "Qwen2MoeForCausalLM";
  }

  @Override
  public TransformerConfig config(HuggingFaceConfig source) {
    TransformerConfig config =
        TransformerConfig.decoder(source).toBuilder()
            .qkvBias(source.flagOr("qkv_bias", true))
            .mixtureOfExperts(
                Experts.read(
                    source,
                    () ->
                        Experts.qwen(source, false)
                            .withSharedExpert(
                                source.size("shared_expert_intermediate_size"), true)))
            .build(source);
    return QwenWindow.read(source, config);
  }

  @Override
  public WeightMapping weights(TransformerConfig config) {
    String mlp = "model.layers.*.mlp.";
    return Experts.add(WeightMapping.llamaLayout(config))
        .sharedExpert(
            mlp + "shared_expert.gate_proj.weight",
            mlp + "shared_expert.up_proj.weight",
            mlp + "shared_expert.down_proj.weight")
        .rename(
            "decoder.layers.*.mlp.shared_experts.gate_weight", mlp + "shared_expert_gate.weight");
  }

  @Override
  public Map<String, @Nullable Object> huggingFaceFields(TransformerConfig config) {
    Map<String, @Nullable Object> fields = ModelFamily.super.huggingFaceFields(config);
    fields.put("qkv_bias", config.qkvBias());
    fields.put("shared_expert_intermediate_size", Experts.of(config).sharedExpertFfnHiddenSize());
    Experts.writeQwen(config, fields);
    QwenWindow.write(config, fields);
    return fields;
  }
}
