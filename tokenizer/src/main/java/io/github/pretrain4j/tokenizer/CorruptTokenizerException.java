package io.github.pretrain4j.tokenizer;

import java.io.IOException;
import java.nio.file.Path;

/** A tokenizer file that is not what it claims to be: where, and how. */
public final class CorruptTokenizerException extends IOException {
  private static final long serialVersionUID = 1L;

  private final String file;
  private final long byteOffset;
  private final String what;
  private final String expected;
  private final String found;

  /**
   * Describes a defect.
   *
   * @param file the file, or a name for it
   * @param byteOffset where in the file, from 0
   * @param what the thing that is wrong, as {@code "length of piece"}
   * @param expected what a sound file would have there
   * @param found what is there
   */
  public CorruptTokenizerException(
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
    this.file = file.toString();
    this.byteOffset = byteOffset;
    this.what = what;
    this.expected = String.valueOf(expected);
    this.found = String.valueOf(found);
  }

  /** The file. */
  public Path file() {
    return Path.of(file);
  }

  /** Where in the file, from 0. */
  public long byteOffset() {
    return byteOffset;
  }

  /** The thing that is wrong. */
  public String what() {
    return what;
  }

  /** What a sound file would have there. */
  public String expected() {
    return expected;
  }

  /** What is there. */
  public String found() {
    return found;
  }
}
