package io.github.pretrain4j.checkpoint;

import java.io.IOException;
import java.nio.file.Path;

/** A checkpoint file that is damaged, incomplete or not what it claims to be. */
public final class CorruptCheckpointException extends IOException {
  private static final long serialVersionUID = 1;

  private final transient Path file;
  private final long byteOffset;
  private final String what;
  private final String expected;
  private final String found;

  /**
   * Describes the damage.
   *
   * @param byteOffset where in the file, as near as is known
   * @param what the thing that is wrong, as in "header length"
   */
  public CorruptCheckpointException(
      Path file, long byteOffset, String what, Object expected, Object found) {
    super(
        file
            + ": "
            + what
            + " at byte "
            + byteOffset
            + ": expected "
            + expected
            + ", found "
            + found);
    this.file = file;
    this.byteOffset = byteOffset;
    this.what = what;
    this.expected = String.valueOf(expected);
    this.found = String.valueOf(found);
  }

  /** The damaged file. */
  public Path file() {
    return file;
  }

  /** Where in the file. */
  public long byteOffset() {
    return byteOffset;
  }

  /** The thing that is wrong. */
  public String what() {
    return what;
  }

  /** What should have been there. */
  public String expected() {
    return expected;
  }

  /** What was there. */
  public String found() {
    return found;
  }
}
