package io.github.pretrain4j.convert;

import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.TensorSource;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * A Megatron model's tensors, or its optimizer's, with another number of vocabulary rows: cut, or
 * padded by repeating the last row as Megatron's converter does, moments with zeros. Does not close
 * the source.
 */
final class VocabularyRows implements TensorSource {
  static final String EMBEDDING = "embedding.word_embeddings.weight";
  static final String OUTPUT_LAYER = "output_layer.weight";

  private static final Pattern TENSORS =
      Pattern.compile(
          "(optimizer\\.state\\.[a-z0-9_]+\\.)?(embedding\\.word_embeddings|output_layer)\\.weight");

  private static final String MOMENT = "optimizer.state.exp_avg";

  private final TensorSource source;
  private final long rows;

  VocabularyRows(TensorSource source, long rows) {
    this.source = source;
    this.rows = rows;
  }

  private TensorInfo resized(TensorInfo info) {
    if (info.shape().isEmpty() || !TENSORS.matcher(info.name()).matches()) {
      return info;
    }
    List<Long> shape = new ArrayList<>(info.shape());
    shape.set(0, rows);
    return new TensorInfo(info.name(), info.type(), shape);
  }

  @Override
  public List<TensorInfo> tensors() {
    return source.tensors().stream().map(this::resized).toList();
  }

  @Override
  public @Nullable TensorInfo find(String name) {
    TensorInfo info = source.find(name);
    return info == null ? null : resized(info);
  }

  @Override
  public void read(String name, long byteOffset, ByteBuffer target) throws IOException {
    TensorInfo there = source.get(name);
    TensorInfo here = resized(there);
    if (byteOffset < 0 || byteOffset > here.byteCount() - target.remaining()) {
      throw new IllegalArgumentException(
          target.remaining() + " bytes from byte " + byteOffset + " are not in " + here);
    }
    int limit = target.limit();
    long stored = there.byteCount();
    if (byteOffset < stored) {
      target.limit(target.position() + (int) Math.min(target.remaining(), stored - byteOffset));
      source.read(name, byteOffset, target);
      target.limit(limit);
    }
    if (!target.hasRemaining()) {
      return;
    }
    long rowBytes = stored / there.shape().get(0);
    ByteBuffer last = ByteBuffer.allocate(Math.toIntExact(rowBytes));
    if (!name.startsWith(MOMENT)) {
      source.read(name, stored - rowBytes, last);
    }
    long position = Math.max(byteOffset, stored);
    while (target.hasRemaining()) {
      int into = (int) (position % rowBytes);
      int length = (int) Math.min(target.remaining(), rowBytes - into);
      target.put(last.clear().position(into).limit(into + length));
      position += length;
    }
  }

  @Override
  public void close() {}
}
