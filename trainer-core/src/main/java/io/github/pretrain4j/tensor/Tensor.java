package io.github.pretrain4j.tensor;

import io.github.pretrain4j.backend.DeviceBuffer;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * An activation on a {@link Tape}: [B, T, width], the first two also seen as N rows. Valid until
 * the tape is reset; its value until the backward pass, its gradient, where it is an {@link
 * Tape#input}, after it.
 */
public final class Tensor {
  private final Tape tape;
  private final int batch;
  private final int length;
  private final int width;
  private @Nullable Storage value;
  private @Nullable Storage gradient;

  Tensor(Tape tape, int batch, int length, int width, Storage value) {
    this.tape = tape;
    this.batch = batch;
    this.length = length;
    this.width = width;
    this.value = value;
  }

  /** B. */
  public int batch() {
    return batch;
  }

  /** T. */
  public int length() {
    return length;
  }

  /** Elements of a row. */
  public int width() {
    return width;
  }

  /** N = B * T. */
  public int rows() {
    return batch * length;
  }

  /** All elements, row-major; waits for the device. */
  public float[] toArray() {
    return toArray(value());
  }

  /**
   * The gradient of an {@link Tape#input} after the backward pass.
   *
   * @throws IllegalStateException if it has none
   */
  public float[] gradientToArray() {
    if (gradient == null) {
      throw new IllegalStateException("this tensor has no gradient");
    }
    return toArray(gradient);
  }

  private float[] toArray(Storage storage) {
    DeviceBuffer buffer = storage.buffer();
    float[] array = new float[Math.toIntExact(buffer.elementCount())];
    tape.device().download(buffer, MemorySegment.ofArray(array));
    return array;
  }

  Storage value() {
    if (value == null) {
      throw new IllegalStateException(
          "this tensor was consumed by an operation that works in place, or by the backward pass");
    }
    return value;
  }

  /** Hands the value's memory to another tensor: this one can no longer be used as an argument. */
  Storage takeValue() {
    Storage taken = value();
    value = null;
    return taken;
  }

  void releaseValue() {
    if (value != null) {
      value.release();
      value = null;
    }
  }

  @Nullable Storage gradient() {
    return gradient;
  }

  void setGradient(Storage storage) {
    gradient = storage;
  }

  void releaseGradient() {
    if (gradient != null) {
      gradient.release();
      gradient = null;
    }
  }

  @Nullable Storage takeGradient() {
    Storage taken = gradient;
    gradient = null;
    return taken;
  }

  boolean isOn(Tape other) {
    return tape == other;
  }
}
