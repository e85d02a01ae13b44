package io.github.pretrain4j.dataset.preprocess;

import java.nio.file.Path;

/**
 * Some whole lines of a JSONL file, as bytes.
 *
 * @param file the file
 * @param startsFile whether the first line is the file's first
 * @param byteOffset where in the file the bytes begin
 * @param bytes the lines with their ends; the last one may have none if the file ends there
 * @param length number of bytes that count
 */
@SuppressWarnings("ArrayRecordComponent") // handed from the reader to one worker, never compared
record LineBlock(Path file, boolean startsFile, long byteOffset, byte[] bytes, int length) {

  /** Index of the first byte at or after {@code from} that ends a line; {@code length} if none. */
  int lineEnd(int from) {
    for (int i = from; i < length; i++) {
      byte b = bytes[i];
      if (b == '\n' || b == '\r') {
        return i;
      }
    }
    return length;
  }

  /** Where the next line begins, given the end of a line: {@code \r\n} is one end. */
  int nextLine(int lineEnd) {
    boolean pair = lineEnd + 1 < length && bytes[lineEnd] == '\r' && bytes[lineEnd + 1] == '\n';
    return lineEnd + (pair ? 2 : 1);
  }
}
