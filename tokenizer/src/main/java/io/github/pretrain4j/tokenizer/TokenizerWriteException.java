package io.github.pretrain4j.tokenizer;

import java.io.IOException;
import java.nio.file.Path;

/** A tokenizer that could not be written: the disk is full, or failed. An older file is intact. */
public final class TokenizerWriteException extends IOException {
  private static final long serialVersionUID = 1;

  private final String file;
  private final long byteOffset;

  /**
   * Says where writing ended.
   *
   * @param file what was to appear, under its final name
   * @param byteOffset how many of its bytes were written
   */
  public TokenizerWriteException(Path file, long byteOffset, IOException cause) {
    super(
        file
            + ": cannot write at byte "
            + byteOffset
            + ": "
            + (cause.getMessage() == null ? cause : cause.getMessage()),
        cause);
    this.file = file.toString();
    this.byteOffset = byteOffset;
  }

  /** The file that did not come to be. */
  public Path file() {
    return Path.of(file);
  }

  /** How many of its bytes were written. */
  public long byteOffset() {
    return byteOffset;
  }
}
