package io.github.pretrain4j.checkpoint;

import java.nio.ByteBuffer;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A source without tensors. */
final class NoTensors implements TensorSource {
  @Override
  public List<TensorInfo> tensors() {
    return List.of();
  }

  @Override
  public @Nullable TensorInfo find(String name) {
    return null;
  }

  @Override
  public void read(String name, long byteOffset, ByteBuffer target) {
    throw new IllegalArgumentException(name);
  }

  @Override
  public void close() {}
}
