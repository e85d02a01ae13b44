package io.github.pretrain4j.checkpoint;

import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;

/**
 * A file of items one behind another without a directory of its own, such as the {@code .distcp}
 * files of a distributed checkpoint: where each item lies is written elsewhere. Thread-safe.
 */
public final class ItemFile implements Closeable {
  private final FileBytes bytes;

  private ItemFile(FileBytes bytes) {
    this.bytes = bytes;
  }

  /** Opens a file; nothing is read yet. */
  public static ItemFile open(Path file) throws IOException {
    return new ItemFile(FileBytes.open(file));
  }

  /** The file. */
  public Path file() {
    return bytes.file();
  }

  /** Length of the file in bytes, as it was when it was opened. */
  public long byteCount() {
    return bytes.size();
  }

  /**
   * A reader of the torch archive that is the item at {@code byteOffset}. It need not be closed,
   * and works as long as this file is open.
   *
   * @throws CorruptCheckpointException if the item lies outside the file or is no torch archive
   */
  public TorchFileReader torch(long byteOffset, long byteCount) throws IOException {
    return TorchFileReader.of(bytes.window(byteOffset, byteCount));
  }

  /**
   * Fills {@code target} with the bytes from {@code byteOffset} on.
   *
   * @throws CorruptCheckpointException if the file ends before
   */
  public void read(long byteOffset, ByteBuffer target) throws IOException {
    bytes.read(byteOffset, target);
  }

  @Override
  public void close() throws IOException {
    bytes.close();
  }
}
