package io.github.pretrain4j.nn;

import io.github.pretrain4j.backend.ComputeDevice;
import io.github.pretrain4j.model.ModelFamilies;
import io.github.pretrain4j.model.TransformerConfig;
import io.github.pretrain4j.tensor.ParameterStore;

/** Makes the model of a configuration's family. */
public final class LanguageModels {
  private LanguageModels() {}

  /**
   * Refuses a configuration that no model here computes, without building one.
   *
   * @throws IllegalArgumentException as {@link #build} would
   */
  public static void requireSupported(TransformerConfig config) {
    if (!(ModelFamilies.find(config.family()) instanceof ModelArchitecture)) {
      DecoderModel.requireSupported(config);
    }
  }

  /**
   * A model with all weights 0; fill them with {@link Initialization} or {@link WeightLoading}.
   *
   * @param paddedVocabSize rows of embedding and output layer
   * @param maxPositions the longest sequence it has to take
   * @param trainable whether parameters get a gradient
   * @throws IllegalArgumentException if no family has the configuration's name, or it asks for what
   *     its model cannot do
   */
  public static LanguageModel build(
      TransformerConfig config,
      int paddedVocabSize,
      int maxPositions,
      boolean trainable,
      ComputeDevice device) {
    if (paddedVocabSize < config.vocabSize()) {
      throw new IllegalArgumentException(
          "padded vocabulary "
              + paddedVocabSize
              + " is smaller than the vocabulary "
              + config.vocabSize());
    }
    ParameterStore parameters = new ParameterStore(device, trainable);
    try {
      return ModelFamilies.find(config.family()) instanceof ModelArchitecture architecture
          ? architecture.build(config, paddedVocabSize, maxPositions, parameters)
          : new DecoderModel(config, paddedVocabSize, maxPositions, parameters);
    } catch (RuntimeException | Error e) {
      parameters.close();
      throw e;
    }
  }
}
