package io.github.pretrain4j.model;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Writes a {@link TransformerConfig} as the fields of a config.json, the inverse of {@link
 * TransformerConfig#decoder}.
 */
final class HuggingFaceFields {
  private HuggingFaceFields() {}

  static Map<String, @Nullable Object> of(ModelFamily family, TransformerConfig config) {
    Map<String, @Nullable Object> fields = new LinkedHashMap<>();
    fields.put("architectures", List.of(family.architecture()));
    fields.put("model_type", family.name());
    fields.put("attention_dropout", 0.0);
    fields.put("head_dim", config.kvChannels());
    fields.put(
        "hidden_act", config.activation() == Activation.SWIGLU ? "silu" : "gelu_pytorch_tanh");
    fields.put("hidden_size", config.hiddenSize());
    fields.put("initializer_range", 0.02);
    fields.put("intermediate_size", config.ffnHiddenSize());
    fields.put("max_position_embeddings", config.maxPositionEmbeddings());
    fields.put("num_attention_heads", config.numAttentionHeads());
    fields.put("num_hidden_layers", config.numLayers());
    fields.put("num_key_value_heads", config.numQueryGroups());
    fields.put("rms_norm_eps", config.normEpsilon());
    fields.put("rope_theta", config.rotaryBase());
    RopeScaling scaling = config.ropeScaling();
    if (scaling instanceof RopeScaling.Linear linear) {
      fields.put("rope_scaling", scaling("linear", linear.factor()));
    } else if (scaling instanceof RopeScaling.Llama3 llama3) {
      Map<String, @Nullable Object> written = scaling("llama3", llama3.factor());
      written.put("low_freq_factor", llama3.lowFreqFactor());
      written.put("high_freq_factor", llama3.highFreqFactor());
      written.put("original_max_position_embeddings", llama3.originalMaxPositionEmbeddings());
      fields.put("rope_scaling", written);
    } else if (scaling instanceof RopeScaling.DynamicNtk dynamic) {
      fields.put("rope_scaling", scaling("dynamic", dynamic.factor()));
    } else if (scaling instanceof RopeScaling.Yarn yarn) {
      Map<String, @Nullable Object> written = scaling("yarn", yarn.factor());
      written.put("original_max_position_embeddings", yarn.originalMaxPositionEmbeddings());
      written.put("beta_fast", yarn.betaFast());
      written.put("beta_slow", yarn.betaSlow());
      if (yarn.mscale() > 0) {
        written.put("mscale", yarn.mscale());
      }
      if (yarn.mscaleAllDim() > 0) {
        written.put("mscale_all_dim", yarn.mscaleAllDim());
      }
      fields.put("rope_scaling", written);
    }
    if (config.slidingWindow() > 0) {
      fields.put("sliding_window", config.slidingWindow());
    }
    fields.put("tie_word_embeddings", config.tiedEmbeddings());
    fields.put("use_cache", true);
    fields.put("vocab_size", config.vocabSize());
    return fields;
  }

  private static Map<String, @Nullable Object> scaling(String type, double factor) {
    Map<String, @Nullable Object> scaling = new LinkedHashMap<>();
    scaling.put("rope_type", type);
    scaling.put("factor", factor);
    return scaling;
  }
}
