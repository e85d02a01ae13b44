package io.github.pretrain4j.checkpoint.megatron;

import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.TensorSource;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** One tensor parallel rank's part of whole tensors. Does not close the source. */
final class ShardTensorSource implements TensorSource {
  /** Whole rows are read in pieces of about this many bytes. */
  private static final int WINDOW_BYTES = 1 << 18;

  private final TensorSource whole;
  private final Map<String, ShardRule> rules;
  private final Map<String, TensorInfo> infos = new LinkedHashMap<>();
  private final int rank;
  private final int ranks;

  ShardTensorSource(TensorSource whole, Map<String, ShardRule> rules, int rank, int ranks) {
    this.whole = whole;
    this.rules = rules;
    this.rank = rank;
    this.ranks = ranks;
    rules.forEach(
        (name, rule) -> {
          TensorInfo info = whole.get(name);
          infos.put(name, new TensorInfo(name, info.type(), rule.shard(info.shape(), ranks)));
        });
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
  public void read(String name, long byteOffset, ByteBuffer target) throws IOException {
    TensorInfo info = get(name);
    if (byteOffset < 0 || byteOffset > info.byteCount() - target.remaining()) {
      throw new IllegalArgumentException(
          target.remaining() + " bytes from byte " + byteOffset + " are not in " + info);
    }
    switch (Objects.requireNonNull(rules.get(name))) {
      case REPLICATED -> whole.read(name, byteOffset, target);
      case ROWS -> readRuns(info, 1, byteOffset, target);
      case GATED_ROWS -> readRuns(info, 2, byteOffset, target);
      case COLUMNS -> readColumns(info, byteOffset, target);
    }
  }

  /** The shard is {@code parts} runs, one from each block of the whole. */
  private void readRuns(TensorInfo shard, int parts, long byteOffset, ByteBuffer target)
      throws IOException {
    int limit = target.limit();
    long runBytes = shard.byteCount() / parts;
    long position = byteOffset;
    while (target.position() < limit) {
      long part = position / runBytes;
      long into = position % runBytes;
      int length = (int) Math.min(limit - target.position(), runBytes - into);
      target.limit(target.position() + length);
      whole.read(shard.name(), (part * ranks + rank) * runBytes + into, target);
      target.limit(limit);
      position += length;
    }
  }

  private void readColumns(TensorInfo shard, long byteOffset, ByteBuffer target)
      throws IOException {
    if (!target.hasRemaining()) {
      return;
    }
    int pieceBytes = Math.toIntExact(shard.byteCount() / shard.shape().get(0));
    int rowBytes = Math.multiplyExact(pieceBytes, ranks);
    long end = byteOffset + target.remaining();
    int start = target.position();
    long windowRows = Math.max(1, WINDOW_BYTES / rowBytes);
    long lastRow = (end - 1) / pieceBytes;
    for (long first = byteOffset / pieceBytes; first <= lastRow; first += windowRows) {
      int rows = (int) Math.min(windowRows, lastRow - first + 1);
      ByteBuffer window = ByteBuffer.allocate(Math.multiplyExact(rows, rowBytes));
      whole.read(shard.name(), first * rowBytes, window);
      for (int row = 0; row < rows; row++) {
        long pieceStart = (first + row) * pieceBytes;
        long from = Math.max(pieceStart, byteOffset);
        long to = Math.min(pieceStart + pieceBytes, end);
        target.put(
            (int) (start + from - byteOffset),
            window,
            (int) ((long) row * rowBytes + (long) rank * pieceBytes + from - pieceStart),
            (int) (to - from));
      }
    }
    target.position(target.limit());
  }

  @Override
  public void close() {}
}
