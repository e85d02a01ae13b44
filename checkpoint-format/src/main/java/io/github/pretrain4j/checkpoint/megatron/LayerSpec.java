package io.github.pretrain4j.checkpoint.megatron;

/**
 * Which modules a Megatron-Core model is built of, and so what its checkpoint calls the norms of a
 * layer.
 */
public enum LayerSpec {
  /** Megatron's own modules: norms stand alone. */
  LOCAL("local"),
  /**
   * Transformer Engine's: norms belong to the linear layer behind them. What Llama-like models
   * train with.
   */
  TRANSFORMER_ENGINE("transformer_engine");

  private final String argument;

  LayerSpec(String argument) {
    this.argument = argument;
  }

  /** The value of Megatron's {@code transformer_impl}. */
  public String argument() {
    return argument;
  }
}
