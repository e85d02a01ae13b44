package io.github.pretrain4j.model.family;

import io.github.pretrain4j.model.HuggingFaceConfig;
import io.github.pretrain4j.model.MixtureOfExperts;
import io.github.pretrain4j.model.ModelFamily;
import io.github.pretrain4j.model.TransformerConfig;
import io.github.pretrain4j.model.WeightMapping;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Mixtral: Mistral with experts in every layer, weighed by a softmax over those picked. */
public final class Mixtral implements ModelFamily {
  private static final double DEFAULT_AUX_LOSS = 0.001;

  @Override
  public String name() {
    return "mixtral";
  }

  @Override
  public TransformerConfig config(HuggingFaceConfig source) {
    MixtureOfExperts experts =
        Experts.read(
            source,
            () ->
                MixtureOfExperts.of(
                        source.size("num_local_experts"),
                        source.size("num_experts_per_tok"),
                        source.size("intermediate_size"))
                    .withAuxLossCoeff(source.numberOr("router_aux_loss_coef", DEFAULT_AUX_LOSS)));
    return TransformerConfig.decoder(source).toBuilder()
        .slidingWindow(source.has("sliding_window") ? source.size("sliding_window") : 0)
        .mixtureOfExperts(experts)
        .build(source);
  }

  @Override
  public WeightMapping weights(TransformerConfig config) {
    String moe = "model.layers.*.block_sparse_moe.";
    return WeightMapping.llamaLayout(config)
        .experts(
            moe + "gate.weight",
            moe + "experts.*.w1.weight",
            moe + "experts.*.w3.weight",
            moe + "experts.*.w2.weight");
  }

  @Override
  public Map<String, @Nullable Object> huggingFaceFields(TransformerConfig config) {
    MixtureOfExperts experts = Experts.of(config);
    Map<String, @Nullable Object> fields = ModelFamily.super.huggingFaceFields(config);
    fields.putIfAbsent("sliding_window", null);
    fields.put("intermediate_size", experts.moeFfnHiddenSize());
    fields.put("num_local_experts", experts.numExperts());
    fields.put("num_experts_per_tok", experts.topk());
    fields.put("router_aux_loss_coef", experts.auxLossCoeff());
    fields.put("output_router_logits", false);
    return fields;
  }
}
