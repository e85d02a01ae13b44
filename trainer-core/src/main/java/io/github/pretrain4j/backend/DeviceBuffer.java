package io.github.pretrain4j.backend;

/**
 * A run of elements in the memory of one {@link ComputeDevice}, which made it and alone can read
 * it. A slice is a buffer too; it dies with the allocation it was cut from.
 */
public interface DeviceBuffer {
  ElementType type();

  long elementCount();

  /** Bytes of all elements. */
  default long byteCount() {
    return elementCount() * type().bytes();
  }
}
