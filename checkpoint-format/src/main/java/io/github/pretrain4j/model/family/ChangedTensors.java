package io.github.pretrain4j.model.family;

import io.github.pretrain4j.checkpoint.DataType;
import io.github.pretrain4j.checkpoint.NumericConversion;
import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.TensorSource;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A source in which some matrices have other values, computed row by row in fp32 as they are read,
 * and some tensors are not seen. Closing it leaves the source open. As thread-safe as its source.
 */
final class ChangedTensors implements TensorSource {
  /** What becomes of a matrix. */
  interface Change {
    /** The type that the values are rounded to. */
    DataType type();

    /** Replaces the values of a row by the new ones. */
    void apply(long row, float[] values) throws IOException;
  }

  private static final int TARGET_BYTES = 1 << 20;

  private final TensorSource source;
  private final Map<String, Change> changes;
  private final Map<String, TensorInfo> infos = new LinkedHashMap<>();

  private ChangedTensors(TensorSource source, Map<String, Change> changes, Set<String> hidden) {
    this.source = source;
    this.changes = changes;
    for (TensorInfo info : source.tensors()) {
      Change change = changes.get(info.name());
      if (!hidden.contains(info.name())) {
        infos.put(info.name(), change == null ? info : info.withType(change.type()));
      }
    }
  }

  static TensorSource of(TensorSource source, Map<String, ? extends Change> changes) {
    return of(source, changes, Set.of());
  }

  /** {@code source} without the {@code hidden}, with the tensors in {@code changes} changed. */
  static TensorSource of(
      TensorSource source, Map<String, ? extends Change> changes, Set<String> hidden) {
    Map<String, Change> usable = new LinkedHashMap<>();
    changes.forEach(
        (name, change) -> {
          TensorInfo info = source.get(name);
          // Anything else is a misshapen model, which whoever maps the weights reports by name.
          if (info.shape().size() == 2
              && info.elementCount() > 0
              && NumericConversion.supported(info.type(), DataType.F32)
              && NumericConversion.supported(DataType.F32, change.type())) {
            usable.put(name, change);
          }
        });
    return new ChangedTensors(source, usable, Set.copyOf(hidden));
  }

  @Override
  public List<TensorInfo> tensors() {
    return new ArrayList<>(infos.values());
  }

  @Override
  public @Nullable TensorInfo find(String name) {
    return infos.get(name);
  }

  @Override
  public void read(String name, long byteOffset, ByteBuffer target) throws IOException {
    TensorInfo info = get(name);
    Change change = changes.get(name);
    if (change == null) {
      source.read(name, byteOffset, target);
      return;
    }
    if (byteOffset < 0 || byteOffset > info.byteCount() - target.remaining()) {
      throw new IllegalArgumentException(
          target.remaining() + " bytes from byte " + byteOffset + " are not in " + info);
    }
    int columns = Math.toIntExact(info.shape().get(1));
    long rowBytes = (long) columns * info.type().bytes();
    long perBlock = Math.max(1, TARGET_BYTES / rowBytes);
    long position = byteOffset;
    while (target.hasRemaining()) {
      long row = position / rowBytes;
      long last = (position + target.remaining() - 1) / rowBytes;
      int rows = (int) Math.min(perBlock, last - row + 1);
      ByteBuffer block = rows(source.get(name), change, row, rows, columns);
      int skip = (int) (position - row * rowBytes);
      int length = Math.min(block.remaining() - skip, target.remaining());
      target.put(block.slice(skip, length));
      position += length;
    }
  }

  private ByteBuffer rows(TensorInfo stored, Change change, long first, int count, int columns)
      throws IOException {
    int elements = Math.multiplyExact(count, columns);
    ByteBuffer raw = ByteBuffer.allocate(Math.multiplyExact(elements, stored.type().bytes()));
    source.read(stored.name(), first * columns * stored.type().bytes(), raw);
    raw.flip();
    ByteBuffer wide =
        ByteBuffer.allocate(Math.multiplyExact(elements, Float.BYTES))
            .order(ByteOrder.LITTLE_ENDIAN);
    NumericConversion.convert(stored.type(), raw, DataType.F32, wide);
    wide.flip();
    float[] values = new float[columns];
    for (int row = 0; row < count; row++) {
      int at = row * columns * Float.BYTES;
      ByteBuffer one = wide.slice(at, columns * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
      one.asFloatBuffer().get(values);
      change.apply(first + row, values);
      one.asFloatBuffer().put(values);
    }
    ByteBuffer result = ByteBuffer.allocate(Math.multiplyExact(elements, change.type().bytes()));
    NumericConversion.convert(DataType.F32, wide, change.type(), result);
    return result.flip();
  }

  @Override
  public void close() {}
}
