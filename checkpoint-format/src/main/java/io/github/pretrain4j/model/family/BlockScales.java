package io.github.pretrain4j.model.family;

import io.github.pretrain4j.checkpoint.DataType;
import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.TensorSource;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Matrices in FP8 whose blocks of 128 rows and 128 columns have a factor each: {@code X.weight} in
 * e4m3 beside {@code X.weight_scale_inv} in fp32. A value is the element times its block's factor,
 * computed in fp32 and rounded to bf16.
 *
 * @param matrices the names of those matrices
 */
record BlockScales(Set<String> matrices) {
  private static final int BLOCK = 128;
  private static final String SUFFIX = "_scale_inv";

  /** Those that {@code source} has; a matrix and factors that do not fit are left out. */
  static BlockScales of(TensorSource source) {
    Set<String> matrices = new LinkedHashSet<>();
    for (TensorInfo info : source.tensors()) {
      TensorInfo scales = source.find(info.name() + SUFFIX);
      if (info.type() == DataType.F8_E4M3
          && info.shape().size() == 2
          && scales != null
          && scales.type() == DataType.F32
          && scales.shape().equals(blocks(info.shape()))) {
        matrices.add(info.name());
      }
    }
    return new BlockScales(matrices);
  }

  private static List<Long> blocks(List<Long> shape) {
    return shape.stream().map(size -> (size + BLOCK - 1) / BLOCK).toList();
  }

  /** {@code source} with the matrices in bf16 and without their factors. */
  TensorSource apply(TensorSource source) {
    if (matrices.isEmpty()) {
      return source;
    }
    Map<String, ChangedTensors.Change> changes = new LinkedHashMap<>();
    Set<String> hidden = new LinkedHashSet<>();
    for (String name : matrices) {
      changes.put(name, new Scaling(source, source.get(name + SUFFIX)));
      hidden.add(name + SUFFIX);
    }
    return ChangedTensors.of(source, changes, hidden);
  }

  /** What {@link #apply} does, by the name of the matrix. */
  Map<String, String> changes() {
    Map<String, String> changes = new LinkedHashMap<>();
    for (String name : matrices) {
      changes.put(name, "FP8 times the factor of its block, in fp32, rounded to bf16");
    }
    return changes;
  }

  private record Scaling(TensorSource source, TensorInfo scales) implements ChangedTensors.Change {
    @Override
    public DataType type() {
      return DataType.BF16;
    }

    @Override
    public void apply(long row, float[] values) throws IOException {
      int width = Math.toIntExact(scales.shape().get(1));
      ByteBuffer factors = ByteBuffer.allocate(width * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
      source.read(scales.name(), row / BLOCK * width * Float.BYTES, factors);
      factors.flip();
      for (int i = 0; i < values.length; i++) {
        values[i] *= factors.getFloat(i / BLOCK * Float.BYTES);
      }
    }
  }
}
