package io.github.pretrain4j.optim;

import java.util.Arrays;
import java.util.stream.Collectors;

/** The shape of the last stretch of a WSD schedule: Megatron's {@code --lr-wsd-decay-style}. */
public enum AnnealingStyle {
  EXPONENTIAL("exponential"),
  LINEAR("linear"),
  COSINE("cosine"),
  MINUS_SQUARE_ROOT("minus_sqrt");

  private final String megatronName;

  AnnealingStyle(String megatronName) {
    this.megatronName = megatronName;
  }

  /** The value of the option, as scripts spell it. */
  public String megatronName() {
    return megatronName;
  }

  /**
   * The style of that name; an unknown one is an {@link IllegalArgumentException} that lists those
   * known.
   */
  public static AnnealingStyle of(String name) {
    for (AnnealingStyle style : values()) {
      if (style.megatronName.equals(name)) {
        return style;
      }
    }
    throw new IllegalArgumentException(
        "lr_wsd_decay_style is '%s'; known: %s"
            .formatted(
                name,
                Arrays.stream(values())
                    .map(s -> s.megatronName)
                    .collect(Collectors.joining(", "))));
  }

  /** What is left of the learning rate's range after {@code ratio} (0..1) of the last stretch. */
  double coefficient(double ratio) {
    return switch (this) {
      case EXPONENTIAL -> 2.0 * Math.pow(0.5, ratio) - 1.0;
      case LINEAR -> 1.0 - ratio;
      case COSINE -> 0.5 * (StrictMath.cos(Math.PI * ratio) + 1.0);
      case MINUS_SQUARE_ROOT -> 1.0 - Math.sqrt(ratio);
    };
  }
}
