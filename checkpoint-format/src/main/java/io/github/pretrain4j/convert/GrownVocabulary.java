package io.github.pretrain4j.convert;

import io.github.pretrain4j.checkpoint.DataType;
import io.github.pretrain4j.checkpoint.NumericConversion;
import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.TensorSource;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import org.jspecify.annotations.Nullable;

/**
 * A model's tensors with more vocabulary rows, which are computed on every read. Does not close the
 * source.
 */
final class GrownVocabulary implements TensorSource {
  private final TensorSource source;
  private final Map<String, Integer> names;
  private final long rows;
  private final VocabularyGrowth.NewRows newRows;

  /**
   * @param names the tensors with a row for each token, and a number for each, so that noise
   *     differs between embedding and output layer and is the same in every naming
   * @param rows how many there are afterwards
   */
  GrownVocabulary(
      TensorSource source,
      Map<String, Integer> names,
      long rows,
      VocabularyGrowth.NewRows newRows) {
    this.source = source;
    this.names = names;
    this.rows = rows;
    this.newRows = newRows;
  }

  private TensorInfo grown(TensorInfo info) {
    if (!names.containsKey(info.name())) {
      return info;
    }
    List<Long> shape = new ArrayList<>(info.shape());
    shape.set(0, rows);
    return new TensorInfo(info.name(), info.type(), shape);
  }

  @Override
  public List<TensorInfo> tensors() {
    return source.tensors().stream().map(this::grown).toList();
  }

  @Override
  public @Nullable TensorInfo find(String name) {
    TensorInfo info = source.find(name);
    return info == null ? null : grown(info);
  }

  @Override
  public void read(String name, long byteOffset, ByteBuffer target) throws IOException {
    if (!names.containsKey(name)) {
      source.read(name, byteOffset, target);
      return;
    }
    TensorInfo there = source.get(name);
    long total = grown(there).byteCount();
    if (byteOffset < 0 || byteOffset > total - target.remaining()) {
      throw new IllegalArgumentException(
          target.remaining() + " bytes from byte " + byteOffset + " are not in " + grown(there));
    }
    int limit = target.limit();
    long stored = there.byteCount();
    if (byteOffset < stored) {
      target.limit(target.position() + (int) Math.min(target.remaining(), stored - byteOffset));
      source.read(name, byteOffset, target);
      target.limit(limit);
    }
    long oldRows = there.shape().get(0);
    long rowBytes = stored / oldRows;
    long position = Math.max(byteOffset, stored);
    while (target.hasRemaining()) {
      long newRow = position / rowBytes - oldRows;
      int into = (int) (position % rowBytes);
      ByteBuffer row = row(there, Math.toIntExact(newRow), Math.toIntExact(rowBytes));
      int length = (int) Math.min(target.remaining(), rowBytes - into);
      target.put(row.position(into).limit(into + length));
      position += length;
    }
  }

  private ByteBuffer row(TensorInfo info, int newRow, int rowBytes) throws IOException {
    DataType type = info.type();
    int width = rowBytes / type.bytes();
    double[] values = new double[width];
    if (newRows instanceof VocabularyGrowth.MeanOfPieces mean) {
      List<Integer> ids = mean.oldIds().get(newRow);
      ByteBuffer stored = ByteBuffer.allocate(rowBytes);
      ByteBuffer wide = ByteBuffer.allocate(width * Double.BYTES).order(ByteOrder.LITTLE_ENDIAN);
      for (int id : ids) {
        source.read(info.name(), (long) id * rowBytes, stored.clear());
        NumericConversion.convert(type, stored.flip(), DataType.F64, wide.clear());
        for (int i = 0; i < width; i++) {
          values[i] += wide.getDouble(i * Double.BYTES);
        }
      }
      for (int i = 0; i < width; i++) {
        values[i] /= ids.size();
      }
    } else if (newRows instanceof VocabularyGrowth.Noise noise) {
      // A seed of its own for each row, so that it does not matter in which order rows are read.
      int which = Objects.requireNonNull(names.get(info.name()));
      Random random = new Random((noise.seed() * 2 + which) * 0x9E37_79B9_7F4A_7C15L + newRow);
      for (int i = 0; i < width; i++) {
        values[i] = random.nextGaussian() * noise.standardDeviation();
      }
    }
    ByteBuffer wide = ByteBuffer.allocate(width * Double.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    for (double value : values) {
      wide.putDouble(value);
    }
    ByteBuffer row = ByteBuffer.allocate(rowBytes);
    NumericConversion.convert(DataType.F64, wide.flip(), type, row);
    return row.flip();
  }

  @Override
  public void close() {}
}
