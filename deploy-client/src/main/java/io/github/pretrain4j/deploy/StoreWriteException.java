package io.github.pretrain4j.deploy;

import java.io.IOException;
import java.nio.file.Path;

/** A file of a model store that could not be written: the disk is full, or failed. */
public final class StoreWriteException extends DeployException {
  private final transient Path file;
  private final long byteOffset;

  /**
   * Says where writing ended.
   *
   * @param byteOffset how many bytes of the file were written
   */
  public StoreWriteException(Path file, long byteOffset, IOException cause) {
    super(
        file
            + ": cannot write at byte "
            + byteOffset
            + ": "
            + (cause.getMessage() == null ? cause : cause.getMessage()),
        cause);
    this.file = file;
    this.byteOffset = byteOffset;
  }

  /** The file that is not complete. */
  public Path file() {
    return file;
  }

  /** How many of its bytes were written. */
  public long byteOffset() {
    return byteOffset;
  }
}
