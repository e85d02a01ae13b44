package io.github.pretrain4j.dataset.preprocess;

import java.io.IOException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** A compressed input cannot be decompressed: it is cut, or other bytes were written into it. */
public final class DamagedInputException extends IOException {
  private static final long serialVersionUID = 1L;

  private final transient Path file;
  private final long byteOffset;

  DamagedInputException(
      Path file, long byteOffset, String expected, String found, @Nullable Throwable cause) {
    super(
        file
            + ": after "
            + byteOffset
            + " decompressed bytes: expected "
            + expected
            + ", found "
            + found,
        cause);
    this.file = file;
    this.byteOffset = byteOffset;
  }

  /** The compressed file. */
  public Path file() {
    return file;
  }

  /** How many bytes could be decompressed before the damage. */
  public long byteOffset() {
    return byteOffset;
  }
}
