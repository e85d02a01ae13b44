package io.github.pretrain4j.tokenizer.tool;

import java.io.IOException;
import java.nio.file.Path;

/** A line of a text or {@code .jsonl} file that is not what it should be. */
final class CorruptTextException extends IOException {
  private static final long serialVersionUID = 1;

  private final String file;
  private final long line;
  private final long byteOffset;

  /**
   * Describes the damage.
   *
   * @param line from 1
   * @param byteOffset in the file, as near as is known
   */
  CorruptTextException(Path file, long line, long byteOffset, String expected, Object found) {
    super(
        file
            + ": line "
            + line
            + " at byte "
            + byteOffset
            + ": expected "
            + expected
            + ", found "
            + found);
    this.file = file.toString();
    this.line = line;
    this.byteOffset = byteOffset;
  }

  /** The file. */
  Path file() {
    return Path.of(file);
  }

  /** The line, from 1. */
  long line() {
    return line;
  }

  /** Where in the file. */
  long byteOffset() {
    return byteOffset;
  }
}
