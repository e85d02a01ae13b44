package io.github.pretrain4j.deploy;

/** Whether a target can be used here, and if not, why and what would help. */
public sealed interface Availability {

  /** It can; {@code description} says what was found. */
  record Available(String description) implements Availability {}

  /** It cannot, for {@code reason}; {@code remedy} is what the user can do. */
  record Unavailable(String reason, String remedy) implements Availability {}
}
