package io.github.pretrain4j.checkpoint;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.WritableByteChannel;

/**
 * Supplies the data of tensors to a writer, one at a time, so that a checkpoint of any size needs
 * the memory of one buffer.
 */
@FunctionalInterface
public interface TensorContent {

  /**
   * Writes exactly {@code tensor.byteCount()} bytes, packed, row-major and little-endian, in as
   * many pieces as it likes. The channel takes every buffer whole.
   */
  void write(TensorInfo tensor, WritableByteChannel out) throws IOException;

  /**
   * Content copied unchanged from {@code source}, which must hold every tensor under the same name,
   * type and shape.
   */
  static TensorContent copyOf(TensorSource source) {
    return (tensor, out) -> {
      TensorInfo info = source.get(tensor.name());
      if (info.type() != tensor.type() || info.elementCount() != tensor.elementCount()) {
        throw new IllegalArgumentException("asked for " + tensor + ", the source has " + info);
      }
      long byteCount = info.byteCount();
      ByteBuffer buffer = ByteBuffer.allocate((int) Math.min(byteCount, 1 << 20));
      for (long offset = 0; offset < byteCount; offset += buffer.limit()) {
        buffer.clear().limit((int) Math.min(buffer.capacity(), byteCount - offset));
        source.read(info.name(), offset, buffer);
        out.write(buffer.flip());
      }
    };
  }
}
