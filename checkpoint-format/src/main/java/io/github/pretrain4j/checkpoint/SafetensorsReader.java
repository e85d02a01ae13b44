package io.github.pretrain4j.checkpoint;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Reads a safetensors file; opening it checks the whole structure, data is read on demand. */
public final class SafetensorsReader implements TensorSource {
  private SafetensorsReader() {}

  /** Opens a file and checks its header. */
  public static SafetensorsReader open(Path file) throws IOException {
    throw new UnsupportedOperationException();
  }

  /** The free-form {@code __metadata__}; empty if there is none. */
  public Map<String, String> metadata() {
    throw new UnsupportedOperationException();
  }

  @Override
  public List<TensorInfo> tensors() {
    throw new UnsupportedOperationException();
  }

  @Override
  public @Nullable TensorInfo find(String name) {
    throw new UnsupportedOperationException();
  }

  @Override
  public void read(String name, long byteOffset, ByteBuffer target) throws IOException {
    throw new UnsupportedOperationException();
  }

  @Override
  public void close() throws IOException {}
}
