package io.github.pretrain4j.checkpoint.megatron;

import io.github.pretrain4j.checkpoint.TensorInfo;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;

/** A whole tensor read from its shards, the same number of bytes on each. */
record MergedTensor(TensorInfo info, ShardRule rule, List<Shard> shards) {
  /** The packed bytes of one rank's part. */
  @FunctionalInterface
  interface Shard {
    void read(long byteOffset, ByteBuffer target) throws IOException;
  }

  /** Rows are gathered in pieces of about this many bytes. */
  private static final int WINDOW_BYTES = 1 << 18;

  void read(long byteOffset, ByteBuffer target) throws IOException {
    if (byteOffset < 0 || byteOffset > info.byteCount() - target.remaining()) {
      throw new IllegalArgumentException(
          target.remaining() + " bytes from byte " + byteOffset + " are not in " + info);
    }
    switch (rule) {
      case REPLICATED -> shards.get(0).read(byteOffset, target);
      case ROWS -> readRuns(1, byteOffset, target);
      case GATED_ROWS -> readRuns(2, byteOffset, target);
      case COLUMNS -> readColumns(byteOffset, target);
    }
  }

  /** The whole is {@code parts} blocks, each of which has a run from every shard. */
  private void readRuns(int parts, long byteOffset, ByteBuffer target) throws IOException {
    int limit = target.limit();
    int ranks = shards.size();
    long runBytes = info.byteCount() / ranks / parts;
    long position = byteOffset;
    while (target.position() < limit) {
      int run = Math.toIntExact(position / runBytes);
      long into = position % runBytes;
      int length = (int) Math.min(limit - target.position(), runBytes - into);
      target.limit(target.position() + length);
      shards.get(run % ranks).read(run / ranks * runBytes + into, target);
      target.limit(limit);
      position += length;
    }
  }

  private void readColumns(long byteOffset, ByteBuffer target) throws IOException {
    if (!target.hasRemaining()) {
      return;
    }
    long rowBytes = info.byteCount() / info.shape().get(0);
    int pieceBytes = Math.toIntExact(rowBytes / shards.size());
    long end = byteOffset + target.remaining();
    int start = target.position();
    long windowRows = Math.max(1, WINDOW_BYTES / pieceBytes);
    long lastRow = (end - 1) / rowBytes;
    for (long first = byteOffset / rowBytes; first <= lastRow; first += windowRows) {
      int rows = (int) Math.min(windowRows, lastRow - first + 1);
      ByteBuffer window = ByteBuffer.allocate(Math.multiplyExact(rows, pieceBytes));
      for (int rank = 0; rank < shards.size(); rank++) {
        shards.get(rank).read(first * pieceBytes, window.clear());
        for (int row = 0; row < rows; row++) {
          long pieceStart = (first + row) * rowBytes + (long) rank * pieceBytes;
          long from = Math.max(pieceStart, byteOffset);
          long to = Math.min(pieceStart + pieceBytes, end);
          if (from < to) {
            target.put(
                (int) (start + from - byteOffset),
                window,
                (int) ((long) row * pieceBytes + from - pieceStart),
                (int) (to - from));
          }
        }
      }
    }
    target.position(target.limit());
  }
}
