package io.github.pretrain4j.dataset.preprocess;

import java.io.IOException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** A line of a JSONL file is not what preprocessing needs: which line, where in it, and why. */
public final class MalformedLineException extends IOException {
  private static final long serialVersionUID = 1L;

  private final transient Path file;
  private final long lineNumber;
  private final long byteOffset;
  private final String expected;
  private final String found;

  /**
   * Describes one bad line.
   *
   * @param file the JSONL file
   * @param lineNumber the line, counted from 1
   * @param byteOffset where the trouble is, counted from the start of the file
   * @param expected what should be there
   * @param found what is there
   * @param cause what the parser or the encoder said, if one of them complained
   */
  public MalformedLineException(
      Path file,
      long lineNumber,
      long byteOffset,
      String expected,
      String found,
      @Nullable Throwable cause) {
    super(
        file
            + ": line "
            + lineNumber
            + ", byte "
            + byteOffset
            + ": expected "
            + expected
            + ", found "
            + found,
        cause);
    this.file = file;
    this.lineNumber = lineNumber;
    this.byteOffset = byteOffset;
    this.expected = expected;
    this.found = found;
  }

  /** The JSONL file. */
  public Path file() {
    return file;
  }

  /** The line, counted from 1. */
  public long lineNumber() {
    return lineNumber;
  }

  /** Where the trouble is, in bytes from the start of the file. */
  public long byteOffset() {
    return byteOffset;
  }

  /** What should be there. */
  public String expected() {
    return expected;
  }

  /** What is there. */
  public String found() {
    return found;
  }
}
