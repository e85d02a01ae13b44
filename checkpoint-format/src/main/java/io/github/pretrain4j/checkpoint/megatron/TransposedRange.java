package io.github.pretrain4j.checkpoint.megatron;

import java.io.IOException;
import java.nio.ByteBuffer;

/** Reads the transpose of a matrix of which any range of packed bytes can be read. */
final class TransposedRange {
  /** Elements are turned round in blocks of about this many bytes. */
  private static final int BLOCK_BYTES = 1 << 20;

  private TransposedRange() {}

  /** Packed bytes of a tensor, or of a part of one. */
  @FunctionalInterface
  interface Bytes {
    /** Fills {@code target} from {@code byteOffset} on. */
    void read(long byteOffset, ByteBuffer target) throws IOException;
  }

  /**
   * Fills {@code target} with packed bytes of the transpose.
   *
   * @param source a matrix [rows, columns] of elements of {@code width} bytes
   * @param byteOffset in the packed transpose [columns, rows]
   */
  static void read(
      Bytes source, long rows, long columns, int width, long byteOffset, ByteBuffer target)
      throws IOException {
    long rowBytes = rows * width; // of the transpose
    int blockRows = (int) Math.max(1, Math.min(columns, BLOCK_BYTES / Math.max(1, rowBytes)));
    while (target.hasRemaining()) {
      long first = byteOffset / rowBytes;
      long wanted = (byteOffset % rowBytes + target.remaining() + rowBytes - 1) / rowBytes;
      int count = (int) Math.min(blockRows, wanted);
      byte[] block = block(source, rows, columns, width, first, count);
      int skip = (int) (byteOffset - first * rowBytes);
      int length = Math.min(target.remaining(), block.length - skip);
      target.put(block, skip, length);
      byteOffset += length;
    }
  }

  /** Rows {@code first…} of the transpose. */
  private static byte[] block(
      Bytes source, long rows, long columns, int width, long first, int count) throws IOException {
    int rowBytes = Math.toIntExact(rows * width);
    byte[] block = new byte[Math.multiplyExact(count, rowBytes)];
    byte[] piece = new byte[count * width];
    for (int row = 0; row < rows; row++) {
      source.read((row * columns + first) * width, ByteBuffer.wrap(piece));
      for (int i = 0; i < count; i++) {
        System.arraycopy(piece, i * width, block, i * rowBytes + row * width, width);
      }
    }
    return block;
  }
}
