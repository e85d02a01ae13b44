package io.github.pretrain4j.nn;

import io.github.pretrain4j.model.ModelFamily;
import io.github.pretrain4j.model.TransformerConfig;
import io.github.pretrain4j.tensor.ParameterStore;

/**
 * A family with blocks of its own: it says what its configuration and weights mean, and builds its
 * model.
 *
 * <p>Registered like any {@link ModelFamily}: one class, one line in {@code
 * META-INF/services/io.github.pretrain4j.model.ModelFamily}. A family that does not implement this
 * gets the {@link DecoderModel}.
 */
public interface ModelArchitecture extends ModelFamily {

  /**
   * Adds the model's parameters to {@code parameters}, in Megatron's order, and returns the model,
   * which owns them.
   *
   * @param paddedVocabSize rows of embedding and output layer
   * @param maxPositions the longest sequence it has to take
   */
  LanguageModel build(
      TransformerConfig config, int paddedVocabSize, int maxPositions, ParameterStore parameters);
}
