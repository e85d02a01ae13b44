package io.github.pretrain4j.convert;

import io.github.pretrain4j.model.ModelFamilies;
import java.io.IOException;

/**
 * Converts a checkpoint into any other form: Hugging Face to Megatron and back, Megatron over other
 * ranks, in another format or with other names, Hugging Face in other shards; with the weights in
 * another type and a larger vocabulary if asked.
 */
public final class Conversion {
  private Conversion() {}

  /**
   * {@link #run(ConversionConfig, ModelFamilies, ConversionListener)} with the installed families.
   */
  public static ConversionReport run(ConversionConfig config, ConversionListener listener)
      throws IOException {
    return run(config, ModelFamilies.installed(), listener);
  }

  /**
   * Converts.
   *
   * <p>The output is complete or absent. What a killed run has finished is used by the next one of
   * the same configuration and input; another one starts over.
   *
   * @throws ConversionException listing everything that stands in the way; nothing was written then
   */
  public static ConversionReport run(
      ConversionConfig config, ModelFamilies families, ConversionListener listener)
      throws IOException {
    throw new UnsupportedOperationException();
  }
}
