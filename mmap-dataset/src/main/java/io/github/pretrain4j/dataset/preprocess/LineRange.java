package io.github.pretrain4j.dataset.preprocess;

import java.io.IOException;
import java.io.Serializable;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;

/**
 * A run of whole lines of one file that is not compressed: something to preprocess elsewhere.
 *
 * @param file path of the file, the same wherever it is read
 * @param from its first byte
 * @param to the byte behind its last one
 */
public record LineRange(String file, long from, long to) implements Serializable {
  private static final long serialVersionUID = 1L;

  private static final int BUFFER_BYTES = 1 << 16;

  /** Checks. */
  public LineRange {
    if (from < 0 || to < from) {
      throw new IllegalArgumentException(file + ": no range: bytes " + from + " to " + to);
    }
  }

  /**
   * Cuts files behind line feeds into about {@code count} ranges of about the same size. Together,
   * in their order, they are the files in their order; no range has lines of two files.
   *
   * @param count how many are wanted; a file, and a line, is never shared
   */
  public static List<LineRange> divide(List<Path> files, int count) throws IOException {
    if (count < 1) {
      throw new IllegalArgumentException("ranges must be positive: " + count);
    }
    long total = 0;
    for (Path file : files) {
      total = Math.addExact(total, Files.size(file));
    }
    long size = Math.max(1, (total + count - 1) / count);
    List<LineRange> ranges = new ArrayList<>();
    for (Path file : files) {
      try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
        long end = channel.size();
        long from = 0;
        while (from < end) {
          long to = end - from <= size ? end : lineStart(channel, from + size);
          ranges.add(new LineRange(file.toString(), from, to));
          from = to;
        }
      }
    }
    return ranges;
  }

  /** The first start of a line at or after a byte, or the end. */
  private static long lineStart(FileChannel channel, long byteOffset) throws IOException {
    ByteBuffer buffer = ByteBuffer.allocate(BUFFER_BYTES);
    long at = byteOffset - 1;
    while (channel.read(buffer.clear(), at) >= 0) {
      buffer.flip();
      while (buffer.hasRemaining()) {
        at++;
        if (buffer.get() == '\n') {
          return at;
        }
      }
    }
    return at;
  }
}
