package io.github.pretrain4j.generate;

/** Why generation ended. */
public enum FinishReason {
  /** The end-of-sequence token, or one of the stop texts. */
  STOP,
  /** {@code maxTokens}, or the model's context is full. */
  LENGTH,
  /** The listener wanted no more. */
  CANCELLED
}
