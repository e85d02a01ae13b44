package io.github.pretrain4j.tensor;

import io.github.pretrain4j.backend.DeviceBuffer;

/**
 * A pooled piece of device memory with a count of its holders. At zero it goes back to its {@link
 * BufferPool}.
 *
 * <p>{@code whole} is the pool's allocation, {@code buffer} the part of it that is in use.
 */
final class Storage {
  private final BufferPool pool;
  private final DeviceBuffer whole;
  private final DeviceBuffer buffer;
  private int holders = 1;

  Storage(BufferPool pool, DeviceBuffer whole, DeviceBuffer buffer) {
    this.pool = pool;
    this.whole = whole;
    this.buffer = buffer;
  }

  DeviceBuffer buffer() {
    if (holders == 0) {
      throw new IllegalStateException("this tensor's memory was given back");
    }
    return buffer;
  }

  DeviceBuffer whole() {
    return whole;
  }

  /** Whether somebody else holds it too, so that it must not be overwritten. */
  boolean shared() {
    return holders > 1;
  }

  int holders() {
    return holders;
  }

  Storage retain() {
    if (holders == 0) {
      throw new IllegalStateException("this tensor's memory was given back");
    }
    holders++;
    return this;
  }

  void release() {
    if (holders > 0 && --holders == 0) {
      pool.giveBack(this);
    }
  }

  /** Gives it back whoever holds it. */
  void releaseAll() {
    if (holders > 0) {
      holders = 0;
      pool.giveBack(this);
    }
  }
}
