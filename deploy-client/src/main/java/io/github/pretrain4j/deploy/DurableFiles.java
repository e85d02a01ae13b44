package io.github.pretrain4j.deploy;

import java.io.File;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;

/** Writes that are either wholly there after a crash, or not at all. */
public final class DurableFiles {
  private DurableFiles() {}

  /** Replaces {@code file}: writes beside it, flushes to disk, renames, flushes the directory. */
  public static void replace(Path file, byte[] content) throws IOException {
    Path directory = file.toAbsolutePath().getParent();
    if (directory == null) {
      throw new IllegalArgumentException("not a file: " + file);
    }
    Path beside = Files.createTempFile(directory, ".", ".tmp");
    try {
      try (FileChannel channel = FileChannel.open(beside, StandardOpenOption.WRITE)) {
        write(channel, ByteBuffer.wrap(content), file, 0);
        flush(channel, file, content.length);
      }
      Files.move(beside, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    } finally {
      Files.deleteIfExists(beside);
    }
    flushDirectory(directory);
  }

  /** Writes all of {@code bytes}, the part of {@code file} that begins at {@code byteOffset}. */
  public static void write(FileChannel channel, ByteBuffer bytes, Path file, long byteOffset)
      throws StoreWriteException, ClosedByInterruptException {
    int start = bytes.position();
    try {
      while (bytes.hasRemaining()) {
        channel.write(bytes);
      }
    } catch (ClosedByInterruptException e) {
      throw e; // a request to stop, not a failure of the disk
    } catch (IOException e) {
      throw new StoreWriteException(file, byteOffset + bytes.position() - start, e);
    }
  }

  /** Flushes {@code size} written bytes of {@code file} to disk. */
  public static void flush(FileChannel channel, Path file, long size)
      throws StoreWriteException, ClosedByInterruptException {
    try {
      channel.force(true);
    } catch (ClosedByInterruptException e) {
      throw e; // a request to stop, not a failure of the disk
    } catch (IOException e) {
      throw new StoreWriteException(file, size, e);
    }
  }

  /** Flushes the names in {@code directory} to disk, on systems where a directory can be opened. */
  public static void flushDirectory(Path directory) throws IOException {
    if (File.separatorChar == '/') { // Windows does not open directories as files, nor needs it
      try (FileChannel channel = FileChannel.open(directory, StandardOpenOption.READ)) {
        channel.force(true);
      }
    }
  }
}
