package io.github.pretrain4j.model;

import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.TensorSource;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.jspecify.annotations.Nullable;

/** Tensors of random bytes in memory: the test double of a checkpoint. */
public final class MemoryTensors implements TensorSource {
  private final Map<String, TensorInfo> infos = new LinkedHashMap<>();
  private final Map<String, byte[]> data = new LinkedHashMap<>();

  /** Random bytes for each tensor. */
  public static MemoryTensors random(Collection<TensorInfo> infos, long seed) {
    Random random = new Random(seed);
    MemoryTensors tensors = new MemoryTensors();
    for (TensorInfo info : infos) {
      byte[] bytes = new byte[Math.toIntExact(info.byteCount())];
      random.nextBytes(bytes);
      tensors.put(info, bytes);
    }
    return tensors;
  }

  /** Everything in {@code source}, read whole. */
  public static MemoryTensors copyOf(TensorSource source) throws IOException {
    MemoryTensors tensors = new MemoryTensors();
    for (TensorInfo info : source.tensors()) {
      ByteBuffer buffer = ByteBuffer.allocate(Math.toIntExact(info.byteCount()));
      source.read(info.name(), 0, buffer);
      tensors.put(info, buffer.array());
    }
    return tensors;
  }

  /** Adds or replaces a tensor. */
  public void put(TensorInfo info, byte[] bytes) {
    infos.put(info.name(), info);
    data.put(info.name(), bytes);
  }

  /** Takes a tensor out. */
  public void remove(String name) {
    infos.remove(name);
    data.remove(name);
  }

  /** A tensor's data. */
  public byte[] bytes(String name) {
    byte[] bytes = data.get(name);
    if (bytes == null) {
      throw new IllegalArgumentException("no tensor named " + name);
    }
    return bytes;
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
  public void read(String name, long byteOffset, ByteBuffer target) {
    target.put(bytes(name), Math.toIntExact(byteOffset), target.remaining());
  }

  @Override
  public void close() {}
}
