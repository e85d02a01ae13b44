package io.github.pretrain4j.checkpoint.megatron;

import java.util.Optional;

/**
 * The tensors that Adam keeps for a parameter, each of the parameter's shape.
 *
 * <p>As whole tensors they are called {@code optimizer.state.exp_avg.NAME} and so on, where NAME is
 * the parameter's canonical name.
 */
public enum OptimizerTensor {
  /** The running mean of the gradient. */
  EXP_AVG("exp_avg"),
  /** The running mean of the squared gradient. */
  EXP_AVG_SQ("exp_avg_sq"),
  /** The parameter itself in fp32, kept beside one of 16 bits; a parameter of fp32 has none. */
  FP32_PARAM("fp32_param");

  private final String key;

  OptimizerTensor(String key) {
    this.key = key;
  }

  /** What PyTorch's Adam calls it. */
  String key() {
    return key;
  }

  /** What stands before the parameter's name. */
  public String prefix() {
    return "optimizer.state." + key + ".";
  }

  /** The name of this tensor of a parameter. */
  public String nameOf(String parameter) {
    return prefix() + parameter;
  }

  /** The parameter that a tensor of this kind belongs to; empty for a name of another kind. */
  public Optional<String> parameterOf(String name) {
    return name.startsWith(prefix())
        ? Optional.of(name.substring(prefix().length()))
        : Optional.empty();
  }
}
