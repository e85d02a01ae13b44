package io.github.pretrain4j.backend;

/** What a {@link DeviceBuffer} holds. */
public enum ElementType {
  /** IEEE 754 single precision. */
  F32,
  /** Signed 32-bit integer: token ids, labels, positions. */
  I32;

  /** Bytes of one element. */
  public int bytes() {
    return Float.BYTES;
  }
}
