package io.github.pretrain4j.checkpoint.megatron;

import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.TensorSource;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Several sources without a name in common, as one. Closes none of them. */
record JoinedSource(List<TensorSource> sources) implements TensorSource {
  @Override
  public List<TensorInfo> tensors() {
    return sources.stream().flatMap(source -> source.tensors().stream()).toList();
  }

  @Override
  public @Nullable TensorInfo find(String name) {
    for (TensorSource source : sources) {
      TensorInfo info = source.find(name);
      if (info != null) {
        return info;
      }
    }
    return null;
  }

  @Override
  public void read(String name, long byteOffset, ByteBuffer target) throws IOException {
    for (TensorSource source : sources) {
      if (source.find(name) != null) {
        source.read(name, byteOffset, target);
        return;
      }
    }
    throw new IllegalArgumentException("no tensor named " + name);
  }

  @Override
  public void close() {}
}
