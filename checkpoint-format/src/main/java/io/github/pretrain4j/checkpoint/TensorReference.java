package io.github.pretrain4j.checkpoint;

import java.util.List;

/**
 * A tensor in the object tree of a torch file: a strided view of a storage. Its data stays in the
 * file; see {@link TorchFileReader#read} and {@link TorchFileWriter#write}.
 *
 * @param storageOffset first element, counted in elements of {@code type}
 * @param strides steps in elements, one per dimension; 0 for an expanded dimension
 * @param requiresGrad PyTorch's flag
 * @param parameter true if it was a {@code torch.nn.Parameter}
 */
public record TensorReference(
    DataType type,
    TensorStorage storage,
    long storageOffset,
    List<Long> shape,
    List<Long> strides,
    boolean requiresGrad,
    boolean parameter)
    implements PickleObject {

  /**
   * Validates that the view lies inside its storage.
   *
   * @throws IllegalArgumentException if it does not
   */
  public TensorReference {
    shape = List.copyOf(shape);
    strides = List.copyOf(strides);
    if (shape.size() != strides.size()) {
      throw new IllegalArgumentException("shape " + shape + " with strides " + strides);
    }
    long elements = new TensorInfo(storage.key(), type, shape).elementCount();
    long capacity = storage.byteCount() / type.bytes();
    if (storageOffset < 0 || storageOffset > capacity) {
      throw new IllegalArgumentException(
          "offset " + storageOffset + " in a storage of " + capacity + " elements");
    }
    long last = storageOffset;
    try {
      for (int i = 0; i < shape.size(); i++) {
        if (strides.get(i) < 0) {
          throw new IllegalArgumentException("negative stride in " + strides);
        }
        if (elements > 0) {
          last = Math.addExact(last, Math.multiplyExact(shape.get(i) - 1, strides.get(i)));
        }
      }
    } catch (ArithmeticException e) {
      throw new IllegalArgumentException(
          "shape " + shape + " with strides " + strides + " overflows", e);
    }
    if (elements > 0 && last >= capacity) {
      throw new IllegalArgumentException(
          "shape "
              + shape
              + " with strides "
              + strides
              + " at offset "
              + storageOffset
              + " reaches element "
              + last
              + " of a storage of "
              + capacity);
    }
  }

  /** A packed tensor that fills a storage of its own, as writers make them. */
  public static TensorReference contiguous(String storageKey, DataType type, List<Long> shape) {
    TensorInfo info = new TensorInfo(storageKey, type, shape);
    return new TensorReference(
        type,
        new TensorStorage(storageKey, info.byteCount()),
        0,
        shape,
        packedStrides(shape),
        false,
        false);
  }

  /** A packed tensor that fills a storage of its own, whose key is the tensor's name. */
  public static TensorReference contiguous(TensorInfo info) {
    return contiguous(info.name(), info.type(), info.shape());
  }

  /** Type and shape under a name. */
  public TensorInfo info(String name) {
    return new TensorInfo(name, type, shape);
  }

  /** Number of elements. */
  public long elementCount() {
    return info(storage.key()).elementCount();
  }

  /** Size of the packed data, whatever the size of the storage. */
  public long byteCount() {
    return elementCount() * type.bytes();
  }

  /** True if the elements lie packed and in row-major order in the storage. */
  public boolean isContiguous() {
    if (elementCount() == 0) {
      return true;
    }
    long packed = 1;
    for (int i = shape.size() - 1; i >= 0; i--) {
      if (shape.get(i) != 1) {
        if (strides.get(i) != packed) {
          return false;
        }
        packed *= shape.get(i);
      }
    }
    return true;
  }

  private static List<Long> packedStrides(List<Long> shape) {
    Long[] strides = new Long[shape.size()];
    long packed = 1;
    for (int i = strides.length - 1; i >= 0; i--) {
      strides[i] = packed;
      packed *= Math.max(1, shape.get(i)); // as PyTorch does for empty tensors
    }
    return List.of(strides);
  }
}
