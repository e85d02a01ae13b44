package io.github.pretrain4j.checkpoint;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;

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

  void write(ByteBuffer source) throws IOException {
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
