package io.github.pretrain4j.model.family;

import io.github.pretrain4j.model.HuggingFaceConfig;
import io.github.pretrain4j.model.MixtureOfExperts;
import io.github.pretrain4j.model.TransformerConfig;
import io.github.pretrain4j.model.WeightMapping;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** The experts of the Qwen families, and what other families with experts share with them. */
final class Experts {
  private static final double DEFAULT_AUX_LOSS = 0.001;

  private Experts() {}

  /** The experts of {@code config}, which must have them. */
  static MixtureOfExperts of(TransformerConfig config) {
    MixtureOfExperts experts = config.mixtureOfExperts();
    if (experts == null) {
      throw new IllegalArgumentException("family " + config.family() + " without experts");
    }
    return experts;
  }

  /** What {@code reader} gives; what it finds inconsistent becomes a fault of {@code source}. */
  static <T> T read(HuggingFaceConfig source, Supplier<T> reader) {
    try {
      return reader.get();
    } catch (IllegalArgumentException | ArithmeticException e) {
      throw source.invalid("", "a consistent decoder (" + e.getMessage() + ")");
    }
  }

  /**
   * Reads what Qwen's configurations say of experts, none shared.
   *
   * @param normaliseDefault {@code norm_topk_prob} where it is not written
   */
  static MixtureOfExperts qwen(HuggingFaceConfig source, boolean normaliseDefault) {
    // Qwen3's is num_experts in files of transformers 4 and num_local_experts in those of 5.
    String number = source.has("num_experts") ? "num_experts" : "num_local_experts";
    MixtureOfExperts experts =
        MixtureOfExperts.of(
            source.size(number),
            source.size("num_experts_per_tok"),
            source.size("moe_intermediate_size"));
    return experts
        .withLayerIsMoe(sparseLayers(source))
        .withScores(
            experts.scoreFunction(), !source.flagOr("norm_topk_prob", normaliseDefault), false, 1)
        .withAuxLossCoeff(source.numberOr("router_aux_loss_coef", DEFAULT_AUX_LOSS));
  }

  /** Every {@code decoder_sparse_step}-th layer, those in {@code mlp_only_layers} excepted. */
  private static List<Boolean> sparseLayers(HuggingFaceConfig source) {
    int numLayers = source.size("num_hidden_layers");
    int step = source.sizeOr("decoder_sparse_step", 1);
    List<Integer> dense = source.integers("mlp_only_layers");
    List<Boolean> flags = new ArrayList<>();
    for (int layer = 0; layer < numLayers; layer++) {
      flags.add((layer + 1) % step == 0 && !dense.contains(layer));
    }
    return flags;
  }

  /** Writes what {@link #qwen} reads. */
  static void writeQwen(TransformerConfig config, Map<String, @Nullable Object> fields) {
    MixtureOfExperts experts = of(config);
    List<Integer> dense = new ArrayList<>();
    for (int layer = 0; layer < config.numLayers(); layer++) {
      if (!experts.isMoe(layer)) {
        dense.add(layer);
      }
    }
    fields.put("num_experts", experts.numExperts());
    fields.put("num_experts_per_tok", experts.topk());
    fields.put("moe_intermediate_size", experts.moeFfnHiddenSize());
    fields.put("decoder_sparse_step", 1);
    fields.put("mlp_only_layers", dense);
    fields.put("norm_topk_prob", !experts.preSoftmax());
    fields.put("router_aux_loss_coef", experts.auxLossCoeff());
    fields.put("output_router_logits", false);
  }

  /** Adds router and experts under the names of the Qwen and DeepSeek families. */
  static WeightMapping add(WeightMapping mapping) {
    String mlp = "model.layers.*.mlp.";
    return mapping.experts(
        mlp + "gate.weight",
        mlp + "experts.*.gate_proj.weight",
        mlp + "experts.*.up_proj.weight",
        mlp + "experts.*.down_proj.weight");
  }
}
