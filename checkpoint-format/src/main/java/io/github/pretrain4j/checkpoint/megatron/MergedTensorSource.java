package io.github.pretrain4j.checkpoint.megatron;

import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.TensorSource;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Whole tensors by name. Does not close the files that they are read from. */
final class MergedTensorSource implements TensorSource {
  private final Map<String, MergedTensor> tensors;

  MergedTensorSource(Map<String, MergedTensor> tensors) {
    this.tensors = tensors;
  }

  @Override
  public List<TensorInfo> tensors() {
    return tensors.values().stream().map(MergedTensor::info).toList();
  }

  @Override
  public @Nullable TensorInfo find(String name) {
    MergedTensor tensor = tensors.get(name);
    return tensor == null ? null : tensor.info();
  }

  @Override
  public void read(String name, long byteOffset, ByteBuffer target) throws IOException {
    MergedTensor tensor = tensors.get(name);
    if (tensor == null) {
      throw new IllegalArgumentException("no tensor named " + name);
    }
    tensor.read(byteOffset, target);
  }

  @Override
  public void close() {}
}
