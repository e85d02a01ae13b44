package io.github.pretrain4j.model;

import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.TensorSource;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** Tensors of one naming, read from a source of the other. Does not close the source. */
final class MappedTensorSource implements TensorSource {
  private final TensorSource source;
  private final Map<String, MappedTensor> tensors;
  private final Map<String, TensorInfo> infos = new LinkedHashMap<>();

  MappedTensorSource(TensorSource source, Map<String, MappedTensor> tensors) {
    this.source = source;
    this.tensors = tensors;
    for (MappedTensor tensor : tensors.values()) {
      TensorInfo first = source.get(tensor.runs().get(0).source());
      infos.put(tensor.name(), new TensorInfo(tensor.name(), first.type(), tensor.shape()));
    }
  }

  @Override
  public List<TensorInfo> tensors() {
    return List.copyOf(infos.values());
  }

  @Override
  public @Nullable TensorInfo find(String name) {
    return infos.get(name);
  }

  @Override
  public void read(String name, long byteOffset, ByteBuffer target) throws IOException {
    TensorInfo info = get(name);
    if (byteOffset < 0 || byteOffset > info.byteCount() - target.remaining()) {
      throw new IllegalArgumentException(
          target.remaining() + " bytes from byte " + byteOffset + " are not in " + info);
    }
    MappedTensor tensor = Objects.requireNonNull(tensors.get(name));
    long rowBytes = info.byteCount() / info.shape().get(0);
    int limit = target.limit();
    long position = byteOffset;
    for (int i = tensor.runOf(position / rowBytes); target.position() < limit; i++) {
      MappedTensor.Run run = tensor.runs().get(i);
      long into = position - run.firstRow() * rowBytes;
      long length = Math.min(limit - target.position(), run.rowCount() * rowBytes - into);
      target.limit(target.position() + (int) length);
      source.read(run.source(), run.sourceRow() * rowBytes + into, target);
      target.limit(limit);
      position += length;
    }
  }

  @Override
  public void close() {}
}
