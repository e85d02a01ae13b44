package io.github.pretrain4j.checkpoint.megatron;

/** Which modules a Megatron model is built of, and so what its checkpoint calls the parameters. */
public enum LayerSpec {
  /** Megatron-Core with its own modules: norms stand alone. */
  LOCAL("local"),
  /**
   * Megatron-Core with Transformer Engine's: norms belong to the linear layer behind them. What
   * Llama-like models train with.
   */
  TRANSFORMER_ENGINE("transformer_engine"),
  /**
   * The models before Megatron-Core: nested dictionaries, {@code query_key_value}, {@code
   * dense_h_to_4h}. Dense decoders only.
   */
  LEGACY("local");

  private final String argument;

  LayerSpec(String argument) {
    this.argument = argument;
  }

  /** The value of Megatron's {@code transformer_impl}. */
  public String argument() {
    return argument;
  }
}
