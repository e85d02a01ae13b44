package io.github.pretrain4j.checkpoint.megatron;

import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.TensorSource;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Parameters of one rank, cut out of whole tensors. Does not close the source. */
final class RankTensorSource implements TensorSource {
  /** Whole rows are read in pieces of about this many bytes. */
  private static final int WINDOW_BYTES = 1 << 18;

  private final TensorSource whole;
  private final Map<String, RankParameter> parameters;
  private final Map<String, TensorInfo> infos = new LinkedHashMap<>();

  /**
   * Cuts.
   *
   * @param parameters by the names that they have in this source
   */
  RankTensorSource(TensorSource whole, Map<String, RankParameter> parameters) {
    this.whole = whole;
    this.parameters = new LinkedHashMap<>(parameters);
    parameters.forEach(
        (name, parameter) -> {
          TensorInfo first = whole.get(parameter.pieces().get(0).whole());
          infos.put(name, new TensorInfo(name, first.type(), parameter.info().shape()));
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
    RankParameter parameter = parameters.get(name);
    if (parameter == null) {
      return;
    }
    int limit = target.limit();
    long first = 0;
    for (RankParameter.Piece piece : parameter.pieces()) {
      long size = piece.elementCount() * info.type().bytes();
      long from = byteOffset - first;
      if (from < size && target.position() < limit) {
        int length = (int) Math.min(limit - target.position(), size - from);
        target.limit(target.position() + length);
        readPiece(piece, info.type().bytes(), from, target);
        target.limit(limit);
        byteOffset += length;
      }
      first += size;
    }
  }

  private void readPiece(RankParameter.Piece piece, int width, long byteOffset, ByteBuffer target)
      throws IOException {
    if (piece.transposed()) {
      TransposedRange.read(
          (offset, out) -> readShard(piece, width, offset, out),
          piece.shape().get(0),
          piece.shape().get(1),
          width,
          byteOffset,
          target);
    } else {
      readShard(piece, width, byteOffset, target);
    }
  }

  private void readShard(RankParameter.Piece piece, int width, long byteOffset, ByteBuffer target)
      throws IOException {
    String name = piece.whole();
    switch (piece.rule()) {
      case REPLICATED -> whole.read(name, byteOffset, target);
      case ROWS -> readRuns(name, piece, width, 1, byteOffset, target);
      case GATED_ROWS -> readRuns(name, piece, width, 2, byteOffset, target);
      case COLUMNS -> readColumns(name, piece, width, byteOffset, target);
    }
  }

  /** The shard is {@code parts} runs, one from each block of the whole. */
  private void readRuns(
      String name,
      RankParameter.Piece piece,
      int width,
      int parts,
      long byteOffset,
      ByteBuffer target)
      throws IOException {
    int limit = target.limit();
    long runBytes = piece.elementCount() * width / parts;
    long position = byteOffset;
    while (target.position() < limit) {
      long part = position / runBytes;
      long into = position % runBytes;
      int length = (int) Math.min(limit - target.position(), runBytes - into);
      target.limit(target.position() + length);
      whole.read(name, (part * piece.ranks() + piece.rank()) * runBytes + into, target);
      target.limit(limit);
      position += length;
    }
  }

  private void readColumns(
      String name, RankParameter.Piece piece, int width, long byteOffset, ByteBuffer target)
      throws IOException {
    if (!target.hasRemaining()) {
      return;
    }
    if (piece.ranks() == 1) {
      whole.read(name, byteOffset, target);
      return;
    }
    int pieceBytes = Math.toIntExact(piece.shape().get(1) * width);
    int rowBytes = Math.multiplyExact(pieceBytes, piece.ranks());
    long end = byteOffset + target.remaining();
    int start = target.position();
    long windowRows = Math.max(1, WINDOW_BYTES / rowBytes);
    long lastRow = (end - 1) / pieceBytes;
    for (long first = byteOffset / pieceBytes; first <= lastRow; first += windowRows) {
      int rows = (int) Math.min(windowRows, lastRow - first + 1);
      ByteBuffer window = ByteBuffer.allocate(Math.multiplyExact(rows, rowBytes));
      whole.read(name, first * rowBytes, window);
      for (int row = 0; row < rows; row++) {
        long pieceStart = (first + row) * pieceBytes;
        long from = Math.max(pieceStart, byteOffset);
        long to = Math.min(pieceStart + pieceBytes, end);
        target.put(
            (int) (start + from - byteOffset),
            window,
            (int) ((long) row * rowBytes + (long) piece.rank() * pieceBytes + from - pieceStart),
            (int) (to - from));
      }
    }
    target.position(target.limit());
  }

  @Override
  public void close() {}
}
