package io.github.pretrain4j.dataset.preprocess;

import java.io.Closeable;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.util.HexFormat;
import org.jspecify.annotations.Nullable;

/**
 * An input being read from its start, decompressed by what its name ends with. Reading ends when
 * the thread is interrupted, also from a pipe. Not thread-safe.
 */
final class OpenInput implements Closeable {
  private final Raw raw;
  private final @Nullable InputStream decompressed;
  private final boolean standardInput;

  private OpenInput(Raw raw, @Nullable InputStream decompressed, boolean standardInput) {
    this.raw = raw;
    this.decompressed = decompressed;
    this.standardInput = standardInput;
  }

  static OpenInput open(Path file) throws IOException {
    if (file.equals(InputList.STANDARD_INPUT)) {
      // Not System.in, whose buffer would wait for bytes even if the thread is interrupted.
      FileChannel channel = new FileInputStream(FileDescriptor.in).getChannel();
      return new OpenInput(new Raw(channel, null), null, true);
    }
    String name = file.toString();
    FileChannel channel = FileChannel.open(file, StandardOpenOption.READ);
    try {
      if (name.endsWith(".gz")) {
        Raw raw = new Raw(channel, LineBlockReader.sha256());
        return new OpenInput(raw, new GzipInput(file, raw), false);
      }
      if (name.endsWith(".zst")) {
        Raw raw = new Raw(channel, LineBlockReader.sha256());
        return new OpenInput(raw, new ZstdInput(file, raw), false);
      }
      return new OpenInput(new Raw(channel, null), null, false);
    } catch (RuntimeException | Error e) {
      channel.close();
      throw e;
    }
  }

  /** The bytes of the file, counted and, if they are compressed, hashed. */
  private static final class Raw extends InputStream {
    private final FileChannel channel;
    private final @Nullable MessageDigest digest;
    private long byteCount;

    Raw(FileChannel channel, @Nullable MessageDigest digest) {
      this.channel = channel;
      this.digest = digest;
    }

    @Override
    public int read() throws IOException {
      byte[] one = new byte[1];
      return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
    }

    @Override
    public int read(byte[] bytes, int offset, int length) throws IOException {
      int read = channel.read(ByteBuffer.wrap(bytes, offset, length));
      if (read > 0) {
        byteCount += read;
        if (digest != null) {
          digest.update(bytes, offset, read);
        }
      }
      return read;
    }
  }

  /** Reads up to {@code length} decompressed bytes; -1 at the end. */
  int read(byte[] bytes, int offset, int length) throws IOException {
    return decompressed == null
        ? raw.read(bytes, offset, length)
        : decompressed.read(bytes, offset, length);
  }

  /** Bytes of the file, as they are, read so far. */
  long rawBytes() {
    return raw.byteCount;
  }

  /**
   * After the end: SHA-256 of the file as it is.
   *
   * @param decompressedSha256 that of the decompressed bytes
   */
  String rawSha256(byte[] decompressedSha256) {
    byte[] sha256 = raw.digest == null ? decompressedSha256 : raw.digest.digest();
    return HexFormat.of().formatHex(sha256);
  }

  /** Closes the file; the standard input stays open. Idempotent. */
  @Override
  public void close() throws IOException {
    try {
      if (decompressed != null) {
        decompressed.close();
      }
    } finally {
      if (!standardInput) {
        raw.channel.close();
      }
    }
  }
}
