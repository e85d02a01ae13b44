package io.github.pretrain4j.optim;

import java.util.Arrays;
import java.util.stream.Collectors;

/**
 * How weight decay moves from its start to its end: Megatron's {@code --weight-decay-incr-style}.
 */
public enum WeightDecayIncrease {
  CONSTANT("constant"),
  LINEAR("linear"),
  COSINE("cosine");

  private final String megatronName;

  WeightDecayIncrease(String megatronName) {
    this.megatronName = megatronName;
  }

  /** The value of the option, as scripts and checkpoints spell it. */
  public String megatronName() {
    return megatronName;
  }

  /**
   * The style of that name; an unknown one is an {@link IllegalArgumentException} that lists those
   * known.
   */
  public static WeightDecayIncrease of(String name) {
    for (WeightDecayIncrease style : values()) {
      if (style.megatronName.equals(name)) {
        return style;
      }
    }
    throw new IllegalArgumentException(
        "weight_decay_incr_style is '%s'; known: %s"
            .formatted(
                name,
                Arrays.stream(values())
                    .map(s -> s.megatronName)
                    .collect(Collectors.joining(", "))));
  }
}
