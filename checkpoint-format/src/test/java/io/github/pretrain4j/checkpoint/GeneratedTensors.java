package io.github.pretrain4j.checkpoint;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import org.jspecify.annotations.Nullable;

/** Tensors whose data follows from their names. */
final class GeneratedTensors implements TensorSource {
  private final Map<String, TensorInfo> infos = new LinkedHashMap<>();
  private final Map<String, byte[]> data = new LinkedHashMap<>();

  GeneratedTensors(List<TensorInfo> tensors) {
    for (TensorInfo info : tensors) {
      byte[] bytes = new byte[Math.toIntExact(info.byteCount())];
      new Random(info.name().hashCode()).nextBytes(bytes);
      infos.put(info.name(), info);
      data.put(info.name(), bytes);
    }
  }

  /** Tensors of all sorts of sizes; some are empty, some longer than the engine's buffer. */
  static GeneratedTensors of(Random random, String prefix) {
    List<TensorInfo> tensors = new ArrayList<>();
    int count = 1 + random.nextInt(6);
    for (int i = 0; i < count; i++) {
      DataType type = random.nextBoolean() ? DataType.BF16 : DataType.F32;
      long elements =
          random.nextInt(12) == 0 ? 400_000 + random.nextInt(400_000) : random.nextInt(500);
      tensors.add(new TensorInfo(prefix + i, type, List.of(elements)));
    }
    return new GeneratedTensors(tensors);
  }

  /** The same data, in pieces that do not fit any buffer. */
  TensorContent inPieces() {
    return (tensor, out) -> {
      byte[] bytes = Objects.requireNonNull(data.get(tensor.name()));
      for (int at = 0; at < bytes.length; at += 70_001) {
        out.write(ByteBuffer.wrap(bytes, at, Math.min(70_001, bytes.length - at)));
      }
    };
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
    byte[] bytes = Objects.requireNonNull(data.get(name));
    target.put(bytes, Math.toIntExact(byteOffset), target.remaining());
  }

  @Override
  public void close() {}
}
