package io.github.pretrain4j.backend;

/**
 * How to open a device.
 *
 * @param threads threads that compute, the caller's included; results do not depend on it
 */
public record DeviceConfig(int threads) {
  public DeviceConfig {
    if (threads < 1) {
      throw new IllegalArgumentException("threads: expected at least 1, found " + threads);
    }
  }

  /** As many threads as the JVM sees processors. */
  public static DeviceConfig ofAllProcessors() {
    return new DeviceConfig(Runtime.getRuntime().availableProcessors());
  }
}
