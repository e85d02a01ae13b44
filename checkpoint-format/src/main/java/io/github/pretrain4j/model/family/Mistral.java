package io.github.pretrain4j.model.family;

import io.github.pretrain4j.model.HuggingFaceConfig;
import io.github.pretrain4j.model.ModelFamily;
import io.github.pretrain4j.model.TransformerConfig;
import io.github.pretrain4j.model.WeightMapping;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Mistral: the Llama layout with a sliding attention window, which later releases switch off with a
 * null.
 */
public final class Mistral implements ModelFamily {
  @Override
  public String name() {
    return "mistral";
  }

  @Override
  public TransformerConfig config(HuggingFaceConfig source) {
    return TransformerConfig.decoder(source).withSlidingWindow(source.sizeOr("sliding_window", 0));
  }

  @Override
  public WeightMapping weights(TransformerConfig config) {
    return WeightMapping.llamaLayout(config);
  }

  @Override
  public Map<String, @Nullable Object> huggingFaceFields(TransformerConfig config) {
    Map<String, @Nullable Object> fields = ModelFamily.super.huggingFaceFields(config);
    // A reader that misses the field assumes a window of 4096.
    fields.putIfAbsent("sliding_window", null);
    return fields;
  }
}
