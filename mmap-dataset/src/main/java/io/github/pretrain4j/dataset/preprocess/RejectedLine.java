package io.github.pretrain4j.dataset.preprocess;

import java.nio.file.Path;

/**
 * A line that was left out because it is not as it should be.
 *
 * @param file the input
 * @param lineNumber the line, counted from 1
 * @param byteOffset where the trouble is, in bytes from the start of the (decompressed) input
 * @param expected what should be there
 * @param found what is there
 * @param bytes the whole line as it was, without its end
 */
@SuppressWarnings("ArrayRecordComponent") // handed on once, never compared
public record RejectedLine(
    Path file, long lineNumber, long byteOffset, String expected, String found, byte[] bytes) {

  /** The same as an exception, for a caller that goes no further. */
  public MalformedLineException toException() {
    return new MalformedLineException(file, lineNumber, byteOffset, expected, found, null);
  }
}
