package io.github.pretrain4j.checkpoint;

import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * An open file, or a window of one, read at any place. Thread-safe. Its length is the one it had
 * when it was opened. Positions count from the start of the window; errors name the byte of the
 * file.
 */
final class FileBytes implements Closeable {
  /** The JDK copies heap buffers through native ones of the same size, and keeps those. */
  private static final int HEAP_CHUNK = 1 << 18;

  private final Path file;
  private final FileChannel channel;
  private final long base;
  private final long size;
  private final boolean owner;

  private FileBytes(Path file, FileChannel channel, long base, long size, boolean owner) {
    this.file = file;
    this.channel = channel;
    this.base = base;
    this.size = size;
    this.owner = owner;
  }

  static FileBytes open(Path file) throws IOException {
    FileChannel channel = FileChannel.open(file, StandardOpenOption.READ);
    try {
      return new FileBytes(file, channel, 0, channel.size(), true);
    } catch (IOException e) {
      try (channel) {
        throw e;
      }
    }
  }

  /**
   * The bytes {@code offset…} of this one. Closing the window leaves the file open.
   *
   * @throws CorruptCheckpointException if the file does not hold them
   */
  FileBytes window(long offset, long length) throws IOException {
    if (offset < 0 || length < 0 || offset > size - length) {
      throw corrupt(offset, "data", length + " bytes", Math.max(0, size - Math.max(0, offset)));
    }
    return new FileBytes(file, channel, base + offset, length, false);
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
        int count = channel.read(target, base + position);
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

  /**
   * Bytes from {@code position} on as the operating system's cache holds them; for reading here and
   * there. The mapping ends when nobody holds the buffer any more.
   */
  ByteBuffer map(long position, int count) throws IOException {
    if (position < 0 || position > size - count) {
      throw corrupt(position, "data", count + " bytes", Math.max(0, size - position));
    }
    return channel.map(FileChannel.MapMode.READ_ONLY, base + position, count);
  }

  CorruptCheckpointException corrupt(long byteOffset, String what, Object expected, Object found) {
    return new CorruptCheckpointException(file, base + byteOffset, what, expected, found);
  }

  @Override
  public void close() throws IOException {
    if (owner) {
      channel.close();
    }
  }
}
