package io.github.pretrain4j.families;

import io.github.pretrain4j.model.HuggingFaceConfig;
import io.github.pretrain4j.model.ModelFamily;
import io.github.pretrain4j.model.TransformerConfig;
import io.github.pretrain4j.model.WeightMapping;

/** A family that the library does not know: the Llama layout with normalised queries and keys. */
public final class NormalisedHeads implements ModelFamily {
  @Override
  public String name() {
    return "normalised-heads";
  }

  @Override
  public TransformerConfig config(HuggingFaceConfig source) {
    return TransformerConfig.decoder(source).withQkLayernorm(true);
  }

  @Override
  public WeightMapping weights(TransformerConfig config) {
    return WeightMapping.llamaLayout(config)
        .rename(
            "decoder.layers.*.self_attention.q_layernorm.weight",
            "model.layers.*.self_attn.q_norm.weight")
        .rename(
            "decoder.layers.*.self_attention.k_layernorm.weight",
            "model.layers.*.self_attn.k_norm.weight");
  }
}
