package io.github.pretrain4j.tensor;

import io.github.pretrain4j.backend.ComputeDevice;
import io.github.pretrain4j.backend.DeviceBuffer;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A weight: its fp32 value and, if trainable, the fp32 gradient that backward passes add into. Made
 * and owned by a {@link ParameterStore}.
 */
public final class Parameter {
  private final ComputeDevice device;
  private final String name;
  private final long[] shape;
  private final DeviceBuffer value;
  private final @Nullable DeviceBuffer gradient;

  Parameter(
      ComputeDevice device,
      String name,
      long[] shape,
      DeviceBuffer value,
      @Nullable DeviceBuffer gradient) {
    this.device = device;
    this.name = name;
    this.shape = shape;
    this.value = value;
    this.gradient = gradient;
  }

  /** Megatron's name. */
  public String name() {
    return name;
  }

  public List<Long> shape() {
    return Arrays.stream(shape).boxed().toList();
  }

  /** Number of dimensions. */
  public int rank() {
    return shape.length;
  }

  public int dimension(int index) {
    return Math.toIntExact(shape[index]);
  }

  public long elementCount() {
    return value.elementCount();
  }

  public boolean trainable() {
    return gradient != null;
  }

  public DeviceBuffer value() {
    return value;
  }

  /**
   * The gradient accumulated since {@link ParameterStore#zeroGradients}.
   *
   * @throws IllegalStateException if the parameter is not trainable
   */
  public DeviceBuffer gradient() {
    if (gradient == null) {
      throw new IllegalStateException(
          "parameter '" + name + "' is not trainable and has no gradient");
    }
    return gradient;
  }

  /** Sets elements {@code offset} to {@code offset + values.length} of the value. */
  public void upload(long offset, float[] values) {
    device.upload(MemorySegment.ofArray(values), device.slice(value, offset, values.length));
  }

  /** All elements of the value. */
  public float[] valueToArray() {
    return toArray(value);
  }

  /** All elements of the gradient. */
  public float[] gradientToArray() {
    return toArray(gradient());
  }

  private float[] toArray(DeviceBuffer buffer) {
    float[] array = new float[Math.toIntExact(buffer.elementCount())];
    device.download(buffer, MemorySegment.ofArray(array));
    return array;
  }

  @Override
  public String toString() {
    return name + Arrays.toString(shape);
  }
}
