package io.github.pretrain4j.convert;

import io.github.pretrain4j.checkpoint.DataType;
import io.github.pretrain4j.checkpoint.NumericConversion;
import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.TensorSource;
import io.github.pretrain4j.model.WeightMapping;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;

/**
 * The same tensors with every weight rounded to another type. What is no weight (buffers, and the
 * bias that steers a router, which every program keeps in fp32) stays as it is. Does not close the
 * source.
 */
final class ConvertedTypeSource implements TensorSource {
  private static final int BLOCK_ELEMENTS = 1 << 16;

  /** Megatron's name of the router's bias, and DeepSeek's. */
  private static final Set<String> KEPT = Set.of("expert_bias", "e_score_correction_bias");

  private final TensorSource source;
  private final DataType type;
  private final LongAdder overflows = new LongAdder();

  ConvertedTypeSource(TensorSource source, DataType type) {
    this.source = source;
    this.type = type;
  }

  /** Finite elements that became infinite in all reads so far. */
  long overflows() {
    return overflows.sum();
  }

  /** Whether a tensor of that name and type is rounded when weights are. */
  static boolean isRounded(TensorInfo info) {
    String name = info.name();
    return info.type().isFloatingPoint()
        && !WeightMapping.isBuffer(name)
        && !KEPT.contains(name.substring(name.lastIndexOf('.') + 1));
  }

  private TensorInfo converted(TensorInfo info) {
    return isRounded(info) ? info.withType(type) : info;
  }

  @Override
  public List<TensorInfo> tensors() {
    return source.tensors().stream().map(this::converted).toList();
  }

  @Override
  public @Nullable TensorInfo find(String name) {
    TensorInfo info = source.find(name);
    return info == null ? null : converted(info);
  }

  @Override
  public void read(String name, long byteOffset, ByteBuffer target) throws IOException {
    TensorInfo info = source.get(name);
    DataType from = info.type();
    if (from == type || !isRounded(info)) {
      source.read(name, byteOffset, target);
      return;
    }
    int width = type.bytes();
    ByteBuffer in = ByteBuffer.allocate(BLOCK_ELEMENTS * from.bytes());
    ByteBuffer out = ByteBuffer.allocate(BLOCK_ELEMENTS * width);
    long position = byteOffset;
    while (target.hasRemaining()) {
      long element = position / width;
      int skip = (int) (position % width);
      long wanted = (skip + (long) target.remaining() + width - 1) / width;
      int count = (int) Math.min(BLOCK_ELEMENTS, wanted);
      in.clear().limit(count * from.bytes());
      source.read(name, element * from.bytes(), in);
      overflows.add(NumericConversion.convert(from, in.flip(), type, out.clear()));
      out.flip().position(skip);
      out.limit(Math.min(out.limit(), skip + target.remaining()));
      position += out.remaining();
      target.put(out);
    }
  }

  @Override
  public void close() {}
}
