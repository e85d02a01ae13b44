package io.github.pretrain4j.nn;

import io.github.pretrain4j.checkpoint.DataType;
import io.github.pretrain4j.checkpoint.SafetensorsReader;
import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.TensorSource;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Tensors in memory, fp32. */
public final class ArrayTensorSource implements TensorSource {
  private final Map<String, TensorInfo> infos = new LinkedHashMap<>();
  private final Map<String, ByteBuffer> contents = new LinkedHashMap<>();

  /** All tensors of the safetensors files in a directory, which must be fp32. */
  static ArrayTensorSource ofShards(Path directory) throws IOException {
    ArrayTensorSource source = new ArrayTensorSource();
    try (DirectoryStream<Path> files = Files.newDirectoryStream(directory, "*.safetensors")) {
      for (Path file : files) {
        try (SafetensorsReader reader = SafetensorsReader.open(file)) {
          for (TensorInfo info : reader.tensors()) {
            source.put(info.name(), info.shape(), floats(reader, info.name()));
          }
        }
      }
    }
    return source;
  }

  /** Adds a tensor. */
  public ArrayTensorSource put(String name, List<Long> shape, float[] values) {
    ByteBuffer bytes =
        ByteBuffer.allocate(values.length * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    bytes.asFloatBuffer().put(values);
    infos.put(name, new TensorInfo(name, DataType.F32, shape));
    contents.put(name, bytes);
    return this;
  }

  /** Removes a tensor. */
  public ArrayTensorSource remove(String name) {
    infos.remove(name);
    contents.remove(name);
    return this;
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
    ByteBuffer bytes = contents.get(name);
    if (bytes == null) {
      throw new IllegalArgumentException("no tensor " + name);
    }
    target.put(bytes.slice((int) byteOffset, target.remaining()));
  }

  @Override
  public void close() {}

  /** All of a tensor of a source, fp32. */
  public static float[] floats(TensorSource source, String name) throws IOException {
    ByteBuffer bytes = bytes(source, name);
    float[] values = new float[bytes.remaining() / Float.BYTES];
    bytes.asFloatBuffer().get(values);
    return values;
  }

  /** All of a tensor of 64-bit integers, narrowed. */
  public static int[] integers(TensorSource source, String name) throws IOException {
    ByteBuffer bytes = bytes(source, name);
    int[] values = new int[bytes.remaining() / Long.BYTES];
    for (int i = 0; i < values.length; i++) {
      values[i] = Math.toIntExact(bytes.getLong(i * Long.BYTES));
    }
    return values;
  }

  private static ByteBuffer bytes(TensorSource source, String name) throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate(Math.toIntExact(source.get(name).byteCount()));
    source.read(name, 0, bytes);
    return bytes.flip().order(ByteOrder.LITTLE_ENDIAN);
  }
}
