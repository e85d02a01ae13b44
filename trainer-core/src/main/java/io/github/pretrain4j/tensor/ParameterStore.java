package io.github.pretrain4j.tensor;

import io.github.pretrain4j.backend.ComputeDevice;
import io.github.pretrain4j.backend.DeviceBuffer;
import io.github.pretrain4j.backend.ElementType;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The parameters of a model on a device, in the order they were added. Owns their memory until
 * closed.
 */
public final class ParameterStore implements AutoCloseable {
  private final ComputeDevice device;
  private final boolean trainable;
  private final Map<String, Parameter> parameters = new LinkedHashMap<>();
  private boolean closed;

  /**
   * An empty store.
   *
   * @param trainable whether parameters get a gradient
   */
  public ParameterStore(ComputeDevice device, boolean trainable) {
    this.device = device;
    this.trainable = trainable;
  }

  public ComputeDevice device() {
    return device;
  }

  /** Adds a parameter with all elements 0. */
  public Parameter add(String name, long... shape) {
    if (closed) {
      throw new IllegalStateException("parameter store is closed");
    }
    if (parameters.containsKey(name)) {
      throw new IllegalArgumentException("two parameters are named '" + name + "'");
    }
    long elements = 1;
    for (long dimension : shape) {
      if (dimension < 1) {
        throw new IllegalArgumentException(
            "parameter '" + name + "' has a dimension of " + dimension);
      }
      elements = Math.multiplyExact(elements, dimension);
    }
    DeviceBuffer value = device.allocate(ElementType.F32, elements);
    DeviceBuffer gradient = null;
    try {
      gradient = trainable ? device.allocate(ElementType.F32, elements) : null;
    } catch (RuntimeException | OutOfMemoryError e) {
      device.free(value);
      throw e;
    }
    Parameter parameter = new Parameter(device, name, shape.clone(), value, gradient);
    parameters.put(name, parameter);
    return parameter;
  }

  public @Nullable Parameter find(String name) {
    return parameters.get(name);
  }

  /** In the order they were added. */
  public Collection<Parameter> parameters() {
    return Collections.unmodifiableCollection(parameters.values());
  }

  public long elementCount() {
    return parameters.values().stream().mapToLong(Parameter::elementCount).sum();
  }

  /** Sets every gradient to 0. */
  public void zeroGradients() {
    for (Parameter parameter : parameters.values()) {
      device.fill(parameter.gradient(), 0);
    }
  }

  @Override
  public void close() {
    if (!closed) {
      closed = true;
      for (Parameter parameter : parameters.values()) {
        device.free(parameter.value());
        if (parameter.trainable()) {
          device.free(parameter.gradient());
        }
      }
    }
  }
}
