package io.github.pretrain4j.model.family;

import io.github.pretrain4j.model.HuggingFaceConfig;
import io.github.pretrain4j.model.ModelFamily;
import io.github.pretrain4j.model.TransformerConfig;
import io.github.pretrain4j.model.WeightMapping;

/** Llama 2 and 3, and the many models published under its layout: the plain decoder. */
public final class Llama implements ModelFamily {
  @Override
  public String name() {
    return "llama";
  }

  @Override
  public TransformerConfig config(HuggingFaceConfig source) {
    return TransformerConfig.decoder(source);
  }

  @Override
  public WeightMapping weights(TransformerConfig config) {
    return WeightMapping.llamaLayout(config);
  }
}
