package io.github.pretrain4j.checkpoint;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Named tensors whose data is read on demand. Thread-safe; {@link #close} is idempotent.
 *
 * <p>Whatever the file does (strided views, shared storages, big-endian machines), data comes out
 * as packed row-major little-endian bytes.
 */
public interface TensorSource extends AutoCloseable {

  /** All tensors, in the order of the file. Names are unique. */
  List<TensorInfo> tensors();

  /** The tensor of that name, or null if there is none. */
  @Nullable TensorInfo find(String name);

  /**
   * Fills {@code target} with bytes of a tensor.
   *
   * @param byteOffset where to start in the tensor's packed row-major data
   * @param target receives exactly {@code target.remaining()} bytes
   * @throws IllegalArgumentException if there is no such tensor or the range is outside it
   */
  void read(String name, long byteOffset, ByteBuffer target) throws IOException;

  /**
   * The tensor of that name.
   *
   * @throws IllegalArgumentException if there is none
   */
  default TensorInfo get(String name) {
    TensorInfo info = find(name);
    if (info == null) {
      throw new IllegalArgumentException("no tensor named " + name);
    }
    return info;
  }

  @Override
  void close() throws IOException;
}
