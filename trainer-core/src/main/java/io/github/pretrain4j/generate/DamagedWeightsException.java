package io.github.pretrain4j.generate;

import java.io.IOException;

/** A model computes logits that are not numbers: its weights are damaged, or training diverged. */
public final class DamagedWeightsException extends IOException {

  private static final long serialVersionUID = 1;

  /**
   * @param index how many tokens were generated before
   * @param count how many of the {@code total} logits are NaN or infinite
   * @param id the first token whose logit is one of them
   * @param logit that logit
   */
  DamagedWeightsException(long index, int count, int total, int id, float logit) {
    super(
        "generated token %d: %d of %d logits are not finite, the first is %s for token id %d: the weights are damaged, or training diverged; get the model's files again, or take an earlier checkpoint"
            .formatted(index + 1, count, total, logit, id));
  }
}
