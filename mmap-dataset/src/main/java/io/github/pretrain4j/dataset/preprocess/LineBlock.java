package io.github.pretrain4j.dataset.preprocess;

import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * Some whole lines of an input, as bytes; filled by the reader's thread, then read by one worker,
 * then reused. Each input ends with a block, which may be empty, that has its digest.
 */
final class LineBlock {
  /** Index of the input. */
  int input;

  /** The input. */
  Path file = Path.of("");

  /** Where in the decompressed input the bytes begin. */
  long byteOffset;

  /** Lines before the first one if known, which only the first block of an input knows; or -1. */
  long linesBefore;

  /** The lines with their ends; the last one may have none if the input ends there. */
  byte[] bytes = {};

  /** Number of bytes that count. */
  int length;

  /** SHA-256 of the decompressed input up to the end of this block. */
  byte[] prefixSha256 = {};

  /** Bytes of all files, as they are, read until now. */
  long rawBytes;

  /** The whole input's digest, if this is its last block. */
  @Nullable InputDigest finished;

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
