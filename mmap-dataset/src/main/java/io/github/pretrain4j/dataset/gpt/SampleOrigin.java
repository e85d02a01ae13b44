package io.github.pretrain4j.dataset.gpt;

import java.nio.file.Path;
import java.util.List;

/**
 * Where a sample's input tokens come from.
 *
 * @param dataset which dataset of the blend, from 0
 * @param pass how often that dataset's order had been used up before, see {@link TrainingData}
 * @param prefix the dataset
 * @param datasetSample place of the sample in the order of that dataset and pass
 * @param unshuffledSample the same before samples were shuffled: neighbours share a sequence
 * @param parts the tokens, in order; fewer than {@code seqLength} together if the sample is padded
 */
public record SampleOrigin(
    int dataset,
    int pass,
    Path prefix,
    long datasetSample,
    long unshuffledSample,
    List<Part> parts) {
  /** Takes a copy. */
  public SampleOrigin {
    parts = List.copyOf(parts);
  }

  /**
   * Some consecutive tokens of one sequence.
   *
   * @param sequence the sequence
   * @param document the document it belongs to
   * @param offset the first token, counted in the sequence
   * @param length number of tokens
   */
  public record Part(long sequence, long document, int offset, int length) {}

  /** This, as part of a blend. */
  SampleOrigin in(int blendDataset, int blendPass) {
    return new SampleOrigin(
        blendDataset, blendPass, prefix, datasetSample, unshuffledSample, parts);
  }
}
