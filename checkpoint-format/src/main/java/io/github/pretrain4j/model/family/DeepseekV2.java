package io.github.pretrain4j.model.family;

import io.github.pretrain4j.model.HuggingFaceConfig;
import io.github.pretrain4j.model.MixtureOfExperts;
import io.github.pretrain4j.model.ModelFamily;
import io.github.pretrain4j.model.TransformerConfig;
import io.github.pretrain4j.model.WeightMapping;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * DeepSeek-V2 and V2-Lite: latent attention, and after one or more dense layers small experts with
 * shared ones beside them, the weights of the picked ones not normalised.
 */
public final class DeepseekV2 implements ModelFamily {
  @Override
  public String name() {
    return "deepseek_v2";
  }

  @Override
  public String architecture() {
    return "DeepseekV2ForCausalLM";
  }

  @Override
  public TransformerConfig config(HuggingFaceConfig source) {
    source.require("scoring_func", "softmax");
    source.require("norm_topk_prob", false);
    source.require("topk_method", "greedy", "group_limited_greedy");
    return Experts.read(source, () -> checked(source));
  }

  private static TransformerConfig checked(HuggingFaceConfig source) {
    MixtureOfExperts experts =
        DeepseekLayout.experts(source)
            .withScores(
                MixtureOfExperts.ScoreFunction.SOFTMAX,
                true,
                false,
                source.numberOr("routed_scaling_factor", 1))
            .withAuxLossCoeff(source.numberOr("aux_loss_alpha", 0.001));
    if (source.has("topk_method") && source.text("topk_method").equals("group_limited_greedy")) {
      experts = experts.withGroups(source.size("n_group"), source.size("topk_group"));
    }
    return DeepseekLayout.config(source).mixtureOfExperts(experts).build(source);
  }

  @Override
  public WeightMapping weights(TransformerConfig config) {
    return DeepseekLayout.weights(config);
  }

  @Override
  public Map<String, @Nullable Object> huggingFaceFields(TransformerConfig config) {
    MixtureOfExperts experts = Experts.of(config);
    Map<String, @Nullable Object> fields = ModelFamily.super.huggingFaceFields(config);
    DeepseekLayout.write(config, fields);
    fields.put("aux_loss_alpha", experts.auxLossCoeff());
    fields.put("norm_topk_prob", false);
    fields.put("scoring_func", "softmax");
    fields.put("topk_method", experts.numGroups() == 0 ? "greedy" : "group_limited_greedy");
    return fields;
  }
}
