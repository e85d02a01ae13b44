package io.github.pretrain4j.deploy;

/** Told how a deployment goes. Called on the deploying thread; what it throws ends the flow. */
public interface ProgressListener {

  /** Hears nothing. */
  ProgressListener NONE = (step, message) -> {};

  /** Something worth a line happened in {@code step}. */
  void message(String step, String message);

  /** {@code done} of {@code total} bytes of {@code step} are through. */
  default void bytes(String step, long done, long total) {}
}
