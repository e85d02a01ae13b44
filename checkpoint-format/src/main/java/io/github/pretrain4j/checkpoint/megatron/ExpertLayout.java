package io.github.pretrain4j.checkpoint.megatron;

/** How the experts of a layer are stored in the files of the {@code torch} format. */
public enum ExpertLayout {
  /** A module for each expert: {@code experts.local_experts.E.linear_fc1.weight}. */
  SEQUENTIAL,
  /**
   * A parameter for each expert of Transformer Engine's grouped layer: {@code
   * experts.linear_fc1.weightE}; what {@code --moe-grouped-gemm} makes.
   */
  GROUPED,
  /**
   * All experts of a rank in {@code experts.weight1} [hidden, experts x width] and {@code
   * experts.weight2} [experts x width, hidden]: transposed, and stored one expert after the other.
   * What {@code --moe-use-legacy-grouped-gemm} makes, and {@code --moe-grouped-gemm} before core
   * 0.8.
   */
  LEGACY_GROUPED
}
