package io.github.pretrain4j.tensor;

import io.github.pretrain4j.tensor.KvCache.Layer;
import org.jspecify.annotations.Nullable;

/**
 * Which keys a query sees: those not after it, and among them the last {@code window}, its own
 * included (Hugging Face's {@code sliding_window}; Megatron's {@code window_size} is one less).
 *
 * @param window {@link Integer#MAX_VALUE} for all
 * @param cache where earlier keys are and new ones go when generating; null when a sequence is
 *     whole
 */
public record AttentionMask(int window, @Nullable Layer cache) {
  public AttentionMask {
    if (window < 1) {
      throw new IllegalArgumentException("window: expected at least 1, found " + window);
    }
  }

  /** Every key up to the query's own. */
  public static AttentionMask causal() {
    return new AttentionMask(Integer.MAX_VALUE, null);
  }

  /** The last {@code window} keys up to the query's own. */
  public static AttentionMask slidingWindow(int window) {
    return new AttentionMask(window, null);
  }

  /** The same over the keys in a cache, to which the call's own are appended first. */
  public AttentionMask over(Layer layer) {
    return new AttentionMask(window, layer);
  }
}
