package io.github.pretrain4j.checkpoint;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.zip.CRC32;

/**
 * A file that appears complete or not at all: written beside its place, flushed to disk and renamed
 * by {@link #commit}; closed without it, nothing is left. Not thread-safe.
 */
final class FileOutput implements AutoCloseable {
  private static final int BUFFER_BYTES = 1 << 18;

  private final Path file;
  private final Path beside;
  private final FileChannel channel;
  private final ByteBuffer buffer = ByteBuffer.allocateDirect(BUFFER_BYTES);
  private long position;
  private long drained;
  private boolean committed;

  private FileOutput(Path file, Path beside, FileChannel channel) {
    this.file = file;
    this.beside = beside;
    this.channel = channel;
  }

  static FileOutput create(Path file) throws IOException {
    Path beside = file.resolveSibling("." + file.getFileName() + ".tmp");
    FileChannel channel =
        FileChannel.open(
            beside,
            StandardOpenOption.CREATE,
            StandardOpenOption.TRUNCATE_EXISTING,
            StandardOpenOption.WRITE);
    return new FileOutput(file, beside, channel);
  }

  /** Bytes written so far. */
  long position() {
    return position;
  }

  void write(ByteBuffer source) throws IOException {
    position += source.remaining();
    int end = source.limit();
    while (source.position() < end) {
      source.limit(Math.min(end, source.position() + buffer.remaining()));
      buffer.put(source);
      source.limit(end);
      if (!buffer.hasRemaining()) {
        drain();
      }
    }
  }

  void write(byte[] source) throws IOException {
    write(ByteBuffer.wrap(source));
  }

  /**
   * Has {@code content} write one tensor, and checks that it writes all of it. Returns the CRC-32
   * of the data.
   */
  int write(TensorInfo tensor, TensorContent content) throws IOException {
    CRC32 crc = new CRC32();
    long end = Math.addExact(position, tensor.byteCount());
    WritableByteChannel out =
        new WritableByteChannel() {
          @Override
          public int write(ByteBuffer source) throws IOException {
            int count = source.remaining();
            if (count > end - position) {
              throw new IllegalStateException(
                  "more than " + tensor.byteCount() + " bytes for " + tensor);
            }
            crc.update(source.duplicate());
            FileOutput.this.write(source);
            return count;
          }

          @Override
          public boolean isOpen() {
            return channel.isOpen();
          }

          @Override
          public void close() {}
        };
    content.write(tensor, out);
    if (position != end) {
      throw new IllegalStateException(
          (end - position) + " of " + tensor.byteCount() + " bytes missing for " + tensor);
    }
    return (int) crc.getValue();
  }

  private void drain() throws IOException {
    buffer.flip();
    try {
      while (buffer.hasRemaining()) {
        drained += channel.write(buffer);
      }
    } catch (IOException e) {
      throw new CheckpointWriteException(file, drained, e);
    }
    buffer.clear();
  }

  /** Makes the file visible. */
  void commit() throws IOException {
    drain();
    try {
      channel.force(true);
      channel.close();
    } catch (IOException e) {
      throw new CheckpointWriteException(file, drained, e);
    }
    Files.move(beside, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    committed = true;
    DurableFiles.flushDirectory(file.toAbsolutePath().resolveSibling(""));
  }

  @Override
  public void close() throws IOException {
    channel.close();
    if (!committed) {
      Files.deleteIfExists(beside);
    }
  }
}
