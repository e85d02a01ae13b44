package io.github.pretrain4j.checkpoint;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Reads a safetensors file; opening it checks the whole structure, data is read on demand.
 * Thread-safe. Layout: see the package.
 */
public final class SafetensorsReader implements TensorSource {
  private final FileBytes bytes;
  private final SafetensorsHeader header;

  private SafetensorsReader(FileBytes bytes, SafetensorsHeader header) {
    this.bytes = bytes;
    this.header = header;
  }

  /**
   * Opens a file and checks its header.
   *
   * @throws CorruptCheckpointException if the file breaks any rule of the format
   */
  public static SafetensorsReader open(Path file) throws IOException {
    FileBytes bytes = FileBytes.open(file);
    try {
      return new SafetensorsReader(bytes, SafetensorsHeader.read(bytes));
    } catch (IOException | RuntimeException e) {
      try (bytes) {
        throw e;
      }
    }
  }

  /** The free-form {@code __metadata__}; empty if there is none. */
  public Map<String, String> metadata() {
    return header.metadata();
  }

  @Override
  public List<TensorInfo> tensors() {
    return header.tensors();
  }

  @Override
  public @Nullable TensorInfo find(String name) {
    SafetensorsHeader.Entry entry = header.entries().get(name);
    return entry == null ? null : entry.info();
  }

  @Override
  public void read(String name, long byteOffset, ByteBuffer target) throws IOException {
    SafetensorsHeader.Entry entry = header.entries().get(name);
    if (entry == null) {
      throw new IllegalArgumentException("no tensor named " + name + " in " + bytes.file());
    }
    entry.info().checkRange(byteOffset, target.remaining());
    bytes.read(header.dataOffset() + entry.begin() + byteOffset, target);
  }

  @Override
  public void close() throws IOException {
    bytes.close();
  }
}
