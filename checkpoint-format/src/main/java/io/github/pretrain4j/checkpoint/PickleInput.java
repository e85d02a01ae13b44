package io.github.pretrain4j.checkpoint;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * A stretch of a file read forward, as pickles are. Every length is checked against what is left
 * before it is allocated.
 */
final class PickleInput {
  private static final int WINDOW_BYTES = 1 << 16;
  private static final int MAX_LINE = 4096;

  private final FileBytes bytes;
  private final long limit;
  private final ByteBuffer window =
      ByteBuffer.allocate(WINDOW_BYTES).order(ByteOrder.LITTLE_ENDIAN).limit(0);
  private long windowOffset;

  PickleInput(FileBytes bytes, long offset, long length) {
    this.bytes = bytes;
    this.windowOffset = offset;
    this.limit = offset + length;
  }

  /** Place of the next byte in the file. */
  long position() {
    return windowOffset + window.position();
  }

  private long remaining() {
    return limit - position();
  }

  /** Makes {@code count} bytes (at most a window) available. */
  private ByteBuffer need(int count) throws IOException {
    if (window.remaining() < count) {
      if (remaining() < count) {
        throw corrupt("pickle", count + " more bytes", remaining());
      }
      long at = position();
      window.clear().limit((int) Math.min(WINDOW_BYTES, limit - at));
      bytes.read(at, window);
      window.flip();
      windowOffset = at;
    }
    return window;
  }

  int u8() throws IOException {
    return Byte.toUnsignedInt(need(1).get());
  }

  int u16() throws IOException {
    return Short.toUnsignedInt(need(2).getShort());
  }

  int i32() throws IOException {
    return need(4).getInt();
  }

  long u32() throws IOException {
    return Integer.toUnsignedLong(need(4).getInt());
  }

  long i64() throws IOException {
    return need(8).getLong();
  }

  double bigEndianDouble() throws IOException {
    return Double.longBitsToDouble(Long.reverseBytes(i64()));
  }

  byte[] bytes(long count, long max) throws IOException {
    if (count < 0 || count > Math.min(max, remaining())) {
      throw corrupt("length", "at most " + Math.min(max, remaining()), count);
    }
    byte[] result = new byte[(int) count];
    if (count <= WINDOW_BYTES) {
      need((int) count).get(result);
    } else {
      long at = position();
      bytes.read(at, ByteBuffer.wrap(result));
      windowOffset = at + count;
      window.limit(0);
    }
    return result;
  }

  /** Bytes up to a line feed, which is consumed. */
  byte[] line() throws IOException {
    byte[] line = new byte[MAX_LINE];
    for (int length = 0; length < MAX_LINE; length++) {
      byte next = need(1).get();
      if (next == '\n') {
        return java.util.Arrays.copyOf(line, length);
      }
      line[length] = next;
    }
    throw corrupt("line", "at most " + MAX_LINE + " bytes", "more");
  }

  CorruptCheckpointException corrupt(String what, Object expected, Object found) {
    return bytes.corrupt(position(), what, expected, found);
  }
}
