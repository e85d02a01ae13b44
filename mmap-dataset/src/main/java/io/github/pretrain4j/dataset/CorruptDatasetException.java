package io.github.pretrain4j.dataset;

import io.github.pretrain4j.dataset.storage.RandomAccessBytes;
import java.io.IOException;
import java.nio.file.Path;

/** A dataset or cache file does not hold what its format says: which file, where, what, and why. */
public final class CorruptDatasetException extends IOException {
  private static final long serialVersionUID = 1L;

  private final transient Path file;
  private final String location;
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
    this(file, file.toString(), byteOffset, what, expected, found);
  }

  private CorruptDatasetException(
      Path file, String location, long byteOffset, String what, Object expected, Object found) {
    super(
        location
            + ": "
            + what
            + " at byte "
            + byteOffset
            + ": expected "
            + expected
            + ", found "
            + found);
    this.file = file;
    this.location = location;
    this.byteOffset = byteOffset;
    this.what = what;
    this.expected = expected.toString();
    this.found = found.toString();
  }

  /** Describes one disagreement in a file or an object. */
  static CorruptDatasetException in(
      RandomAccessBytes bytes, long byteOffset, String what, Object expected, Object found) {
    String location = bytes.location();
    return new CorruptDatasetException(
        pathOf(location), location, byteOffset, what, expected, found);
  }

  /** A finding as an exception. */
  static CorruptDatasetException of(DatasetVerifier.Finding finding) {
    return new CorruptDatasetException(
        pathOf(finding.file()),
        finding.file(),
        finding.byteOffset(),
        finding.what(),
        finding.expected(),
        finding.found());
  }

  private static Path pathOf(String location) {
    int scheme = location.indexOf("://");
    return Path.of(scheme < 0 ? location : location.substring(scheme + 3));
  }

  /** The damaged file; of an object, what follows {@code ://} in its address. */
  public Path file() {
    return file;
  }

  /** The damaged file, or the address of the damaged object. */
  public String location() {
    return location;
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
