package io.github.pretrain4j.model.family;

import io.github.pretrain4j.model.Activation;
import io.github.pretrain4j.model.HuggingFaceConfig;
import io.github.pretrain4j.model.ModelFamily;
import io.github.pretrain4j.model.TransformerConfig;
import io.github.pretrain4j.model.WeightMapping;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Gemma, the first: the Llama layout with wide heads, GELU in the MLP, norms that multiply by one
 * plus their weight, and embeddings multiplied by the root of the hidden size. The output layer is
 * the embedding. Weights are copied unchanged.
 *
 * <p>Of the two fields for the activation {@code hidden_activation} counts; where it is not given,
 * the tanh approximation is meant whatever {@code hidden_act} says, which is {@code gelu} in the
 * first published files.
 */
public final class Gemma implements ModelFamily {
  @Override
  public String name() {
    return "gemma";
  }

  @Override
  public TransformerConfig config(HuggingFaceConfig source) {
    source.require("hidden_activation", "gelu_pytorch_tanh");
    source.require("hidden_act", "gelu_pytorch_tanh", "gelu");
    source.require("attention_bias", false);
    source.require("use_bidirectional_attention", false);
    if (source.rotaryPercent(1) != 1) {
      throw source.invalid("partial_rotary_factor", "1 (nothing else is supported)");
    }
    return TransformerConfig.decoderFields(source)
        .tiedEmbeddings(source.flagOr("tie_word_embeddings", true))
        .activation(Activation.GEGLU_TANH)
        .zeroCenteredNorm(true)
        .embeddingScale(Math.sqrt(source.size("hidden_size")))
        .build(source);
  }

  @Override
  public WeightMapping weights(TransformerConfig config) {
    return WeightMapping.llamaLayout(config);
  }

  @Override
  public Map<String, @Nullable Object> huggingFaceFields(TransformerConfig config) {
    Map<String, @Nullable Object> fields = ModelFamily.super.huggingFaceFields(config);
    fields.put("attention_bias", false);
    fields.put("hidden_activation", "gelu_pytorch_tanh");
    return fields;
  }
}
