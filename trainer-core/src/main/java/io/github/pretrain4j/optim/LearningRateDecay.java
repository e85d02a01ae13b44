package io.github.pretrain4j.optim;

import java.util.Arrays;
import java.util.stream.Collectors;

/** How the learning rate falls after warm-up: Megatron's {@code --lr-decay-style}. */
public enum LearningRateDecay {
  CONSTANT("constant"),
  LINEAR("linear"),
  COSINE("cosine"),
  INVERSE_SQUARE_ROOT("inverse-square-root"),
  /** Warm-up, stable, decay: constant, then a last stretch shaped by {@link AnnealingStyle}. */
  WARMUP_STABLE_DECAY("WSD");

  private final String megatronName;

  LearningRateDecay(String megatronName) {
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
  public static LearningRateDecay of(String name) {
    for (LearningRateDecay style : values()) {
      if (style.megatronName.equals(name)) {
        return style;
      }
    }
    throw new IllegalArgumentException(
        "lr_decay_style is '%s'; known: %s"
            .formatted(
                name,
                Arrays.stream(values())
                    .map(s -> s.megatronName)
                    .collect(Collectors.joining(", "))));
  }
}
