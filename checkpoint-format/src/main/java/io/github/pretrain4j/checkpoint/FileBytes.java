package io.github.pretrain4j.checkpoint;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * An open file, read at any place. Thread-safe. Its length is the one it had when it was opened.
 */
final class FileBytes implements AutoCloseable {
  /** The JDK copies heap buffers through native ones of the same size, and keeps those. */
  private static final int HEAP_CHUNK = 1 << 18;

  private final Path file;
  private final FileChannel channel;
  private final long size;

  private FileBytes(Path file, FileChannel channel, long size) {
    this.file = file;
    this.channel = channel;
    this.size = size;
  }

  static FileBytes open(Path file) throws IOException {
    FileChannel channel = FileChannel.open(file, StandardOpenOption.READ);
    try {
      return new FileBytes(file, channel, channel.size());
    } catch (IOException e) {
      try (channel) {
        throw e;
      }
    }
  }

  Path file() {
    return file;
  }

  long size() {
    return size;
  }

  /** Fills the buffer from {@code position} on. */
  void read(long position, ByteBuffer target) throws IOException {
    long missing = target.remaining() - Math.max(0, size - position);
    if (position < 0 || missing > 0) {
      throw corrupt(position, "data", target.remaining() + " bytes", Math.max(0, size - position));
    }
    int end = target.limit();
    try {
      while (target.position() < end) {
        if (!target.isDirect()) {
          target.limit(Math.min(end, target.position() + HEAP_CHUNK));
        }
        int count = channel.read(target, position);
        if (count < 0) {
          throw corrupt(position, "data", (end - target.position()) + " more bytes", "end of file");
        }
        position += count;
      }
    } finally {
      target.limit(end);
    }
  }

  /**
   * Bytes from {@code position} on, as a little-endian buffer; the caller has capped {@code count}.
   */
  ByteBuffer read(long position, int count) throws IOException {
    if (position < 0 || position > size - count) {
      throw corrupt(position, "data", count + " bytes", Math.max(0, size - position));
    }
    ByteBuffer buffer = ByteBuffer.allocate(count).order(ByteOrder.LITTLE_ENDIAN);
    read(position, buffer);
    return buffer.flip();
  }

  CorruptCheckpointException corrupt(long byteOffset, String what, Object expected, Object found) {
    return new CorruptCheckpointException(file, byteOffset, what, expected, found);
  }

  @Override
  public void close() throws IOException {
    channel.close();
  }
}
