package io.github.pretrain4j.convert;

import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.TensorSource;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The tensors of two sources that have no name in common. Closes neither. */
record JoinedTensors(TensorSource first, TensorSource second) implements TensorSource {
  @Override
  public List<TensorInfo> tensors() {
    List<TensorInfo> all = new ArrayList<>(first.tensors());
    all.addAll(second.tensors());
    return all;
  }

  @Override
  public @Nullable TensorInfo find(String name) {
    TensorInfo info = first.find(name);
    return info == null ? second.find(name) : info;
  }

  @Override
  public void read(String name, long byteOffset, ByteBuffer target) throws IOException {
    (first.find(name) == null ? second : first).read(name, byteOffset, target);
  }

  @Override
  public void close() {}
}
