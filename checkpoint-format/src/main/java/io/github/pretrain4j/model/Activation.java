package io.github.pretrain4j.model;

/** What the gate of a gated MLP goes through: {@code fc2(activation(gate) * up)}. */
public enum Activation {
  /** {@code x * sigmoid(x)}. */
  SWIGLU,
  /** The tanh approximation of the Gaussian error linear unit. */
  GEGLU_TANH
}
