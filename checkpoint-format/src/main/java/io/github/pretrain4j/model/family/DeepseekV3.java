package io.github.pretrain4j.model.family;

import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.TensorSource;
import io.github.pretrain4j.model.HuggingFaceConfig;
import io.github.pretrain4j.model.MixtureOfExperts;
import io.github.pretrain4j.model.ModelFamily;
import io.github.pretrain4j.model.TransformerConfig;
import io.github.pretrain4j.model.WeightMapping;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * DeepSeek-V3 and R1: as V2, with a sigmoid score and a bias for each expert, and layers beside the
 * decoder that predict tokens further ahead. Whether those are there, the tensors say.
 *
 * <p>The published weights are FP8 with a factor for each block; they come as bf16 (see {@link
 * BlockScales}). A file of the layers that predict further ahead repeats embedding and output layer
 * for each of them; the copies are accepted and not written.
 */
public final class DeepseekV3 implements ModelFamily {
  @Override
  public String name() {
    return "deepseek_v3";
  }

  @Override
  public String architecture() {
    return "DeepseekV3ForCausalLM";
  }

  @Override
  public TransformerConfig config(HuggingFaceConfig source) {
    source.require("scoring_func", "sigmoid");
    source.require("norm_topk_prob", true);
    source.require("topk_method", "noaux_tc");
    source.require("rope_interleave", true);
    return Experts.read(source, () -> checked(source));
  }

  private static TransformerConfig checked(HuggingFaceConfig source) {
    MixtureOfExperts experts =
        DeepseekLayout.experts(source)
            .withGroups(source.size("n_group"), source.size("topk_group"))
            .withScores(
                MixtureOfExperts.ScoreFunction.SIGMOID,
                false,
                true,
                source.numberOr("routed_scaling_factor", 2.5))
            .withAuxLossCoeff(source.numberOr("aux_loss_alpha", 0.001));
    return DeepseekLayout.config(source)
        .mixtureOfExperts(experts)
        .numMtpLayers(source.integerOr("num_nextn_predict_layers", 0))
        .build(source);
  }

  /** Transformers leaves those layers out when it saves, and does not say so. */
  @Override
  public TransformerConfig config(HuggingFaceConfig source, Collection<TensorInfo> tensors) {
    TransformerConfig config = config(source);
    String further = "model.layers." + config.numLayers() + ".";
    boolean there =
        tensors.stream()
            .map(TensorInfo::name)
            .anyMatch(name -> name.startsWith("mtp.") || name.startsWith(further));
    return there ? config : config.toBuilder().numMtpLayers(0).build();
  }

  @Override
  public WeightMapping weights(TransformerConfig config) {
    return DeepseekLayout.weights(config)
        .rename(
            "decoder.layers.*.mlp.router.expert_bias",
            "model.layers.*.mlp.gate.e_score_correction_bias")
        .mtp(
            "model.layers.",
            List.of("enorm.weight", "hnorm.weight", "eh_proj.weight", "shared_head.norm.weight"),
            Map.of(
                "embed_tokens.weight",
                "model.embed_tokens.weight",
                "shared_head.head.weight",
                config.tiedEmbeddings() ? "model.embed_tokens.weight" : "lm_head.weight"));
  }

  @Override
  public TensorSource sourceTransform(TransformerConfig config, TensorSource source) {
    return BlockScales.of(source).apply(source);
  }

  @Override
  public Map<String, String> sourceChanges(TransformerConfig config, TensorSource source) {
    return BlockScales.of(source).changes();
  }

  @Override
  public Map<String, @Nullable Object> huggingFaceFields(TransformerConfig config) {
    Map<String, @Nullable Object> fields = ModelFamily.super.huggingFaceFields(config);
    DeepseekLayout.write(config, fields);
    fields.put("aux_loss_alpha", Experts.of(config).auxLossCoeff());
    fields.put("norm_topk_prob", true);
    fields.put("num_nextn_predict_layers", config.numMtpLayers());
    fields.put("scoring_func", "sigmoid");
    fields.put("topk_method", "noaux_tc");
    return fields;
  }
}
