package io.github.pretrain4j.checkpoint;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.WritableByteChannel;
import java.util.function.UnaryOperator;

/** Tensors of a source under the same or other names; can be read at any place. */
record CopiedContent(TensorSource source, UnaryOperator<String> sourceName)
    implements TensorContent {

  /**
   * Fills {@code target} from byte {@code byteOffset} of a tensor's packed data on.
   *
   * @throws IllegalArgumentException if the source's tensor is another one
   */
  void read(TensorInfo tensor, long byteOffset, ByteBuffer target) throws IOException {
    source.read(sourceTensor(tensor).name(), byteOffset, target);
  }

  private TensorInfo sourceTensor(TensorInfo tensor) {
    TensorInfo info = source.get(sourceName.apply(tensor.name()));
    if (info.type() != tensor.type() || info.elementCount() != tensor.elementCount()) {
      throw new IllegalArgumentException("asked for " + tensor + ", the source has " + info);
    }
    return info;
  }

  @Override
  public void write(TensorInfo tensor, WritableByteChannel out) throws IOException {
    TensorInfo info = sourceTensor(tensor);
    long byteCount = info.byteCount();
    ByteBuffer buffer = ByteBuffer.allocate((int) Math.min(byteCount, 1 << 20));
    for (long offset = 0; offset < byteCount; offset += buffer.limit()) {
      buffer.clear().limit((int) Math.min(buffer.capacity(), byteCount - offset));
      source.read(info.name(), offset, buffer);
      out.write(buffer.flip());
    }
  }
}
