package io.github.pretrain4j.train;

import io.github.pretrain4j.dataset.gpt.GptSample;
import io.github.pretrain4j.dataset.gpt.SampleDataset;
import io.github.pretrain4j.tensor.TokenBatch;
import java.io.IOException;

/**
 * A micro-batch: B samples of T tokens, side by side.
 *
 * @param labelsBT the token to predict at each position
 * @param lossMaskBT weight of each position
 * @param maskSum sum of the mask
 */
@SuppressWarnings("ArrayRecordComponent") // plain carriers of numbers, never compared
record SampleBatch(TokenBatch tokens, int[] labelsBT, float[] lossMaskBT, double maskSum) {

  /**
   * Reads samples.
   *
   * @param vocabularyRows ids from here on are not the model's
   * @throws IllegalArgumentException if a sample holds an id the model does not have
   */
  static SampleBatch read(SampleDataset dataset, long[] indices, int vocabularyRows)
      throws IOException {
    GptSample first = dataset.sample(indices[0]);
    int length = first.tokens().length;
    int[] tokens = new int[indices.length * length];
    int[] labels = new int[tokens.length];
    int[] positions = new int[tokens.length];
    float[] mask = new float[tokens.length];
    for (int i = 0; i < indices.length; i++) {
      GptSample sample = i == 0 ? first : dataset.sample(indices[i]);
      System.arraycopy(sample.tokens(), 0, tokens, i * length, length);
      System.arraycopy(sample.labels(), 0, labels, i * length, length);
      System.arraycopy(sample.positionIds(), 0, positions, i * length, length);
      System.arraycopy(sample.lossMask(), 0, mask, i * length, length);
    }
    double maskSum = 0;
    for (int i = 0; i < tokens.length; i++) {
      requireId(tokens[i], vocabularyRows, dataset, indices[i / length]);
      if (mask[i] != 0) {
        requireId(labels[i], vocabularyRows, dataset, indices[i / length]);
      }
      maskSum += mask[i];
    }
    return new SampleBatch(
        new TokenBatch(indices.length, length, tokens, positions), labels, mask, maskSum);
  }

  private static void requireId(int id, int vocabularyRows, SampleDataset dataset, long sample)
      throws IOException {
    if (id < 0 || id >= vocabularyRows) {
      throw new IllegalArgumentException(
          "%s: sample %d holds the id %d, the model's vocabulary ends at %d: the data was made with another tokenizer"
              .formatted(dataset.origin(sample).prefix(), sample, id, vocabularyRows));
    }
  }

  int tokenCount() {
    return labelsBT.length;
  }
}
