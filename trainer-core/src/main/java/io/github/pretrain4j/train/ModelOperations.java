package io.github.pretrain4j.train;

import io.github.pretrain4j.model.TransformerConfig;

/**
 * Floating-point operations of training, counted as Megatron counts them for its throughput: three
 * times the forward pass, with the whole score matrix of attention, without norms, embedding lookup
 * and optimizer.
 */
final class ModelOperations {
  private ModelOperations() {}

  /** Operations of one iteration of {@code samples} sequences of {@code seqLength} tokens. */
  static double perIteration(
      TransformerConfig config, int paddedVocabSize, int seqLength, int samples) {
    double hidden = config.hiddenSize();
    double layers = config.numLayers();
    double queryWidth = (double) config.numAttentionHeads() * config.kvChannels() / hidden;
    double groups = (double) config.numQueryGroups() / config.numAttentionHeads();
    double attention = (1 + groups + seqLength / hidden) * queryWidth;
    double mlp =
        config.ffnHiddenSize()
            / hidden
            * 1.5; // SwiGLU has three matrices where a plain MLP has two
    double output = paddedVocabSize / (2 * layers * hidden);
    return 12.0 * samples * seqLength * layers * hidden * hidden * (attention + mlp + output);
  }
}
