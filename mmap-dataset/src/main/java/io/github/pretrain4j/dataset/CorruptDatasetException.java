package io.github.pretrain4j.dataset;

import java.io.IOException;
import java.nio.file.Path;

/** A dataset or cache file does not hold what its format says: which file, where, what, and why. */
public final class CorruptDatasetException extends IOException {
  private static final long serialVersionUID = 1L;

  private final transient Path file;
  private final long byteOffset;
  private final String what;
  private final String expected;
  private final String found;

  /**
   * Describes one disagreement.
   *
   * @param file the damaged file
   * @param byteOffset where in it
   * @param what the field or value concerned
   * @param expected what the format, or another part of the dataset, requires there
   * @param found what is there
   */
  public CorruptDatasetException(
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
    this.expected = expected.toString();
    this.found = found.toString();
  }

  /** The damaged file. */
  public Path file() {
    return file;
  }

  /** Where in the file the damage shows. */
  public long byteOffset() {
    return byteOffset;
  }

  /** The field or value concerned. */
  public String what() {
    return what;
  }

  /** What belongs there. */
  public String expected() {
    return expected;
  }

  /** What is there. */
  public String found() {
    return found;
  }
}
