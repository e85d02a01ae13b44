package io.github.pretrain4j.backend;

/**
 * A way to compute, found by {@link java.util.ServiceLoader}. Its constructor is public, empty and
 * touches nothing native.
 */
public interface ComputeBackend {
  /** {@code [a-z0-9-]+}, unique among those installed. */
  String name();

  /** Looks whether it can run on this machine; cheap after the first call. */
  Availability availability();

  /** Larger is chosen first by {@code auto}. */
  int priority();

  /**
   * Opens a device; the caller closes it.
   *
   * @throws UnavailableException if {@link #availability()} says so
   */
  ComputeDevice open(DeviceConfig config);
}
