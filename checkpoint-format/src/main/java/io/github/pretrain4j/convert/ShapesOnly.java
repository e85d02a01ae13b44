package io.github.pretrain4j.convert;

import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.TensorSource;
import java.nio.ByteBuffer;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Tensors without data, to ask what could be done with them. */
final class ShapesOnly implements TensorSource {
  private final Map<String, TensorInfo> tensors = new LinkedHashMap<>();

  ShapesOnly(Collection<TensorInfo> tensors) {
    tensors.forEach(tensor -> this.tensors.put(tensor.name(), tensor));
  }

  @Override
  public List<TensorInfo> tensors() {
    return List.copyOf(tensors.values());
  }

  @Override
  public @Nullable TensorInfo find(String name) {
    return tensors.get(name);
  }

  @Override
  public void read(String name, long byteOffset, ByteBuffer target) {
    throw new IllegalStateException("there is no data of " + name);
  }

  @Override
  public void close() {}
}
