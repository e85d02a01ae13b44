package io.github.pretrain4j.checkpoint;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The tensors of a dict in a torch file, which stays open. */
final class StateDictSource implements TensorSource {
  private final TorchFileReader reader;
  private final Map<String, TensorReference> references = new LinkedHashMap<>();
  private final List<TensorInfo> tensors;

  StateDictSource(TorchFileReader reader, PickleObject.PyDict stateDict) {
    this.reader = reader;
    stateDict
        .stringEntries()
        .forEach(
            (name, value) -> {
              if (value instanceof TensorReference reference) {
                references.put(name, reference);
              }
            });
    this.tensors = references.entrySet().stream().map(e -> e.getValue().info(e.getKey())).toList();
  }

  @Override
  public List<TensorInfo> tensors() {
    return tensors;
  }

  @Override
  public @Nullable TensorInfo find(String name) {
    TensorReference reference = references.get(name);
    return reference == null ? null : reference.info(name);
  }

  @Override
  public void read(String name, long byteOffset, ByteBuffer target) throws IOException {
    TensorReference reference = references.get(name);
    if (reference == null) {
      throw new IllegalArgumentException("no tensor named " + name);
    }
    reader.read(reference, byteOffset, target);
  }

  @Override
  public void close() {}
}
