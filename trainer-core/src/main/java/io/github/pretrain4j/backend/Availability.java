package io.github.pretrain4j.backend;

/** Whether a {@link ComputeBackend} can run here, and if not, why and what would help. */
public sealed interface Availability {

  /**
   * It can.
   *
   * @param description what it would run on, one line for logs
   */
  record Available(String description) implements Availability {}

  /**
   * It cannot.
   *
   * @param reason what is missing
   * @param remedy what the user can do about it
   */
  record Unavailable(String reason, String remedy) implements Availability {}
}
