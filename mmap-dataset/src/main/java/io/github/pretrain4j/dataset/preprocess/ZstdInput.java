package io.github.pretrain4j.dataset.preprocess;

import com.github.luben.zstd.ZstdDecompressCtx;
import com.github.luben.zstd.ZstdException;
import com.github.luben.zstd.util.Native;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.file.Path;

/**
 * Decompresses Zstandard, frame after frame, RFC 8878. The only class that names the zstd-jni
 * library, whose own stream takes a file cut in a frame's header for a whole one. Not thread-safe.
 */
final class ZstdInput extends InputStream {
  private static final int BUFFER_BYTES = 1 << 17;

  private final Path file;
  private final InputStream in;
  private final ZstdDecompressCtx frames = new ZstdDecompressCtx();
  private final byte[] chunk = new byte[BUFFER_BYTES];
  private final ByteBuffer compressed = ByteBuffer.allocateDirect(BUFFER_BYTES).limit(0);
  private final ByteBuffer plain = ByteBuffer.allocateDirect(BUFFER_BYTES).limit(0);
  private boolean betweenFrames; // false at first, for no frame at all is damage too
  private boolean ended;
  private long byteCount;

  ZstdInput(Path file, InputStream in) {
    this.file = file;
    this.in = in;
  }

  /**
   * Checks that the library is there.
   *
   * @throws UnavailableException if it is not, or does not load
   */
  static void requireAvailable(Path file) {
    try {
      Native.load();
    } catch (LinkageError e) {
      throw new UnavailableException(
          file + ": nothing to decompress Zstandard with: " + e,
          "put com.github.luben:zstd-jni on the class path, or decompress the file",
          e);
    }
  }

  @Override
  public int read() throws IOException {
    byte[] one = new byte[1];
    return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
  }

  @Override
  public int read(byte[] bytes, int offset, int length) throws IOException {
    while (!plain.hasRemaining()) {
      if (ended) {
        return -1;
      }
      decompress();
    }
    int count = Math.min(length, plain.remaining());
    plain.get(bytes, offset, count);
    return count;
  }

  private void decompress() throws IOException {
    boolean noMoreInput = false;
    if (!compressed.hasRemaining()) {
      int count = in.read(chunk, 0, chunk.length);
      compressed.clear();
      compressed.put(chunk, 0, Math.max(count, 0)).flip();
      noMoreInput = count < 0;
      if (noMoreInput && betweenFrames) {
        ended = true;
        return;
      }
    }
    advance(); // without input too: the library may hold what did not fit before
    if (noMoreInput && !plain.hasRemaining() && !betweenFrames) {
      throw new DamagedInputException(
          file, byteCount, "more of a Zstandard frame", "the end of the file", null);
    }
  }

  private void advance() throws DamagedInputException {
    plain.clear();
    try {
      betweenFrames = frames.decompressDirectByteBufferStream(plain, compressed);
    } catch (ZstdException e) {
      plain.limit(0);
      throw new DamagedInputException(
          file, byteCount, "compressed data", String.valueOf(e.getMessage()), e);
    }
    plain.flip();
    byteCount += plain.remaining();
  }

  @Override
  public void close() {
    frames.close();
  }
}
