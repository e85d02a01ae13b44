package io.github.pretrain4j.dataset.preprocess;

import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Reads files in blocks of whole lines. Lines end as in Python's text files: {@code \n}, {@code
 * \r\n} or {@code \r}; the last line of a file needs no end. A block grows only if one line is
 * longer than a block. Not thread-safe.
 */
final class LineBlockReader implements Closeable {
  private final List<Path> files;
  private final int blockBytes;
  private final int maxLineBytes;
  private int nextFile;
  private @Nullable FileChannel channel;
  private Path file = Path.of("");
  private boolean startsFile;
  private long byteOffset; // of carried[0] in the file
  private byte[] carried = {}; // the beginning of a line

  /**
   * A reader of several files, one after the other.
   *
   * @param blockBytes bytes of a block
   * @param maxLineBytes bytes of a line at most
   */
  LineBlockReader(List<Path> files, int blockBytes, int maxLineBytes) {
    this.files = files;
    this.blockBytes = blockBytes;
    this.maxLineBytes = Math.max(blockBytes, maxLineBytes);
  }

  /**
   * The next block, or null after the last one.
   *
   * @throws EncodedBlock.BlockFailure for a line over the limit
   */
  @Nullable LineBlock next() throws IOException, EncodedBlock.BlockFailure {
    while (true) {
      FileChannel current = channel;
      if (current == null) {
        if (nextFile == files.size()) {
          return null;
        }
        file = files.get(nextFile++);
        current = FileChannel.open(file, StandardOpenOption.READ);
        channel = current;
        startsFile = true;
        byteOffset = 0;
      }
      LineBlock block = nextOf(current);
      if (block != null) {
        return block;
      }
      close();
    }
  }

  private @Nullable LineBlock nextOf(FileChannel current)
      throws IOException, EncodedBlock.BlockFailure {
    byte[] bytes = Arrays.copyOf(carried, Math.max(blockBytes, carried.length));
    int length = carried.length;
    while (true) {
      int read = current.read(ByteBuffer.wrap(bytes, length, bytes.length - length));
      if (read < 0) {
        carried = new byte[0];
        return length == 0 ? null : block(bytes, length);
      }
      length += read;
      if (length == bytes.length) {
        int end = endOfLastLine(bytes, length);
        if (end > 0) {
          carried = Arrays.copyOfRange(bytes, end, length);
          return block(bytes, end);
        }
        if (length >= maxLineBytes) {
          String limit = maxLineBytes + " bytes (a larger heap, -Xmx, allows more)";
          throw new EncodedBlock.BlockFailure(
              new LineBlock(file, startsFile, byteOffset, bytes, 0),
              0,
              new LineParser.BadLine(0, "a line of up to " + limit, "a longer one", null));
        }
        bytes = Arrays.copyOf(bytes, (int) Math.min(2L * length, maxLineBytes));
      }
    }
  }

  /** Index behind the last line end; a final {@code \r} is left out, for it may be half an end. */
  private static int endOfLastLine(byte[] bytes, int length) {
    for (int i = length - 1; i >= 0; i--) {
      if (bytes[i] == '\n' || (bytes[i] == '\r' && i < length - 1)) {
        return i + 1;
      }
    }
    return 0;
  }

  private LineBlock block(byte[] bytes, int length) {
    LineBlock block = new LineBlock(file, startsFile, byteOffset, bytes, length);
    startsFile = false;
    byteOffset += length;
    return block;
  }

  /** Closes the file at hand. Idempotent. */
  @Override
  public void close() throws IOException {
    FileChannel current = channel;
    channel = null;
    if (current != null) {
      current.close();
    }
  }
}
