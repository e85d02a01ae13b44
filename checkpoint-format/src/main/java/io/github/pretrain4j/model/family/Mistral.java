package io.github.pretrain4j.model.family;

import io.github.pretrain4j.model.HuggingFaceConfig;
import io.github.pretrain4j.model.ModelFamily;
import io.github.pretrain4j.model.TransformerConfig;
import io.github.pretrain4j.model.WeightMapping;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Mistral: the Llama layout with a sliding attention window. Later releases switch it off with a
 * null; a config.json that does not mention it means transformers' default.
 */
public final class Mistral implements ModelFamily {
  private static final int DEFAULT_SLIDING_WINDOW = 4096;

  @Override
  public String name() {
    return "mistral";
  }

  @Override
  public TransformerConfig config(HuggingFaceConfig source) {
    int window =
        source.isNull("sliding_window")
            ? 0
            : source.sizeOr("sliding_window", DEFAULT_SLIDING_WINDOW);
    return TransformerConfig.decoder(source).withSlidingWindow(window);
  }

  @Override
  public WeightMapping weights(TransformerConfig config) {
    return WeightMapping.llamaLayout(config);
  }

  @Override
  public Map<String, @Nullable Object> huggingFaceFields(TransformerConfig config) {
    Map<String, @Nullable Object> fields = ModelFamily.super.huggingFaceFields(config);
    // A reader that misses the field assumes the default.
    fields.putIfAbsent("sliding_window", null);
    return fields;
  }
}
