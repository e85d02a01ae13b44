package io.github.pretrain4j.dataset.preprocess;

/**
 * A place between two lines of the inputs.
 *
 * @param file index of the input
 * @param byteOffset bytes of the input before it, counted in the decompressed stream
 * @param lineNumber lines of the input before it
 */
public record InputPosition(int file, long byteOffset, long lineNumber) {
  /** Before the first line of the first input. */
  public static final InputPosition START = new InputPosition(0, 0, 0);

  /** Checks. */
  public InputPosition {
    if (file < 0 || byteOffset < 0 || lineNumber < 0) {
      throw new IllegalArgumentException(
          "no place in the inputs: file " + file + ", byte " + byteOffset + ", line " + lineNumber);
    }
  }
}
