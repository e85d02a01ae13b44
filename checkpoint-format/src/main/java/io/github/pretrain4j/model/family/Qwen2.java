package io.github.pretrain4j.model.family;

import io.github.pretrain4j.model.HuggingFaceConfig;
import io.github.pretrain4j.model.ModelFamily;
import io.github.pretrain4j.model.TransformerConfig;
import io.github.pretrain4j.model.WeightMapping;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Qwen2 and Qwen2.5: the Llama layout with a bias on queries, keys and values. */
public final class Qwen2 implements ModelFamily {
  @Override
  public String name() {
    return "qwen2";
  }

  @Override
  public TransformerConfig config(HuggingFaceConfig source) {
    return QwenWindow.read(source, TransformerConfig.decoder(source).withQkvBias(true));
  }

  @Override
  public WeightMapping weights(TransformerConfig config) {
    return WeightMapping.llamaLayout(config);
  }

  @Override
  public Map<String, @Nullable Object> huggingFaceFields(TransformerConfig config) {
    Map<String, @Nullable Object> fields = ModelFamily.super.huggingFaceFields(config);
    QwenWindow.write(config, fields);
    return fields;
  }
}
