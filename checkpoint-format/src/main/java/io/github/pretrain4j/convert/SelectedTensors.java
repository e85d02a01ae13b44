package io.github.pretrain4j.convert;

import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.TensorSource;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Some of a source's tensors, in a given order. Names that it lacks are left out; not closed. */
final class SelectedTensors implements TensorSource {
  private final TensorSource source;
  private final Set<String> names;

  SelectedTensors(TensorSource source, Collection<String> names) {
    this.source = source;
    this.names = new LinkedHashSet<>(names);
    this.names.removeIf(name -> source.find(name) == null);
  }

  @Override
  public List<TensorInfo> tensors() {
    return names.stream().map(source::get).toList();
  }

  @Override
  public @Nullable TensorInfo find(String name) {
    return names.contains(name) ? source.find(name) : null;
  }

  @Override
  public void read(String name, long byteOffset, ByteBuffer target) throws IOException {
    get(name);
    source.read(name, byteOffset, target);
  }

  @Override
  public void close() {}
}
