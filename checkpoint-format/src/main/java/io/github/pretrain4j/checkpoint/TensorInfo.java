package io.github.pretrain4j.checkpoint;

import java.util.List;

/**
 * What a tensor is, without its data: name, element type and shape (row-major; an empty shape is a
 * scalar).
 */
public record TensorInfo(String name, DataType type, List<Long> shape) {

  /**
   * Validates the shape.
   *
   * @throws IllegalArgumentException if a dimension is negative or the byte count does not fit a
   *     long
   */
  public TensorInfo {
    shape = List.copyOf(shape);
    long bytes = type.bytes();
    boolean empty = false;
    for (long dimension : shape) {
      if (dimension < 0) {
        throw new IllegalArgumentException("tensor " + name + ": negative dimension in " + shape);
      }
      empty |= dimension == 0;
    }
    if (!empty) {
      for (long dimension : shape) {
        try {
          bytes = Math.multiplyExact(bytes, dimension);
        } catch (ArithmeticException e) {
          throw new IllegalArgumentException(
              "tensor " + name + ": shape " + shape + " is too large", e);
        }
      }
    }
  }

  /** Number of elements: the product of the shape, 1 for a scalar. */
  public long elementCount() {
    long count = 1;
    for (long dimension : shape) {
      if (dimension == 0) {
        return 0;
      }
      count *= dimension;
    }
    return count;
  }

  /** Size of the packed data. */
  public long byteCount() {
    return elementCount() * type.bytes();
  }

  /** The same tensor under another name. */
  public TensorInfo withName(String newName) {
    return new TensorInfo(newName, type, shape);
  }

  /** The same tensor with another element type. */
  public TensorInfo withType(DataType newType) {
    return new TensorInfo(name, newType, shape);
  }

  /** Checks that {@code count} bytes from {@code byteOffset} on lie inside the data. */
  void checkRange(long byteOffset, long count) {
    if (byteOffset < 0 || count > byteCount() - byteOffset) {
      throw new IllegalArgumentException(
          "bytes "
              + byteOffset
              + "+"
              + count
              + " of tensor "
              + name
              + ", which has "
              + byteCount());
    }
  }
}
