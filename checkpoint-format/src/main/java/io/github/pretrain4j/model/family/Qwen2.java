package io.github.pretrain4j.model.family;

import io.github.pretrain4j.model.HuggingFaceConfig;
import io.github.pretrain4j.model.ModelFamily;
import io.github.pretrain4j.model.TransformerConfig;
import io.github.pretrain4j.model.WeightMapping;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Qwen2 and Qwen2.5: the Llama layout with a bias on queries, keys and values.
 *
 * <p>Its sliding window needs {@code use_sliding_window}, and then covers the layers from {@code
 * max_window_layers} on: none or all of them here, because a window on some layers only has no
 * place in {@link TransformerConfig}.
 */
public final class Qwen2 implements ModelFamily {
  private static final int WINDOW_DEFAULT = 4096;
  private static final int FULL_LAYERS_DEFAULT = 28;

  @Override
  public String name() {
    return "qwen2";
  }

  @Override
  public TransformerConfig config(HuggingFaceConfig source) {
    TransformerConfig config = TransformerConfig.decoder(source).withQkvBias(true);
    if (!source.flagOr("use_sliding_window", false)) {
      return config;
    }
    int fullLayers = source.integerOr("max_window_layers", FULL_LAYERS_DEFAULT);
    if (fullLayers >= config.numLayers()) {
      return config;
    }
    if (fullLayers > 0) {
      throw source.invalid("max_window_layers", "0 or at least " + config.numLayers());
    }
    return config.withSlidingWindow(source.sizeOr("sliding_window", WINDOW_DEFAULT));
  }

  @Override
  public WeightMapping weights(TransformerConfig config) {
    return WeightMapping.llamaLayout(config);
  }

  @Override
  public Map<String, @Nullable Object> huggingFaceFields(TransformerConfig config) {
    Map<String, @Nullable Object> fields = ModelFamily.super.huggingFaceFields(config);
    boolean window = config.slidingWindow() > 0;
    fields.put("use_sliding_window", window);
    fields.put("max_window_layers", window ? 0 : config.numLayers());
    return fields;
  }
}
