package io.github.pretrain4j.checkpoint.megatron;

/** How Megatron lays a checkpoint out on disk; the value of its {@code --ckpt-format}. */
public enum CheckpointFormat {
  /** One {@code model_optim_rng.pt} for every model parallel rank. */
  TORCH("torch"),
  /** A distributed checkpoint: chunks of whole tensors, whatever the ranks. */
  TORCH_DIST("torch_dist");

  private final String argument;

  CheckpointFormat(String argument) {
    this.argument = argument;
  }

  /** The value of Megatron's {@code ckpt_format}. */
  public String argument() {
    return argument;
  }
}
