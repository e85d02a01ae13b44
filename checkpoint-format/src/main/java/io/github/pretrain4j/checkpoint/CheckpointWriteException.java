package io.github.pretrain4j.checkpoint;

import java.io.IOException;
import java.nio.file.Path;

/**
 * A file that could not be written: the disk is full, or failed. What was there before is intact.
 */
public final class CheckpointWriteException extends IOException {
  private static final long serialVersionUID = 1;

  private final transient Path file;
  private final long byteOffset;

  /**
   * Says where writing ended.
   *
   * @param file what was to appear, under its final name
   * @param byteOffset how many of its bytes were written
   */
  public CheckpointWriteException(Path file, long byteOffset, IOException cause) {
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

  /** The file that did not come to be. */
  public Path file() {
    return file;
  }

  /** How many of its bytes were written. */
  public long byteOffset() {
    return byteOffset;
  }
}
