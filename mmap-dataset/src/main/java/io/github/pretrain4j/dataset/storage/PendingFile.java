package io.github.pretrain4j.dataset.storage;

import java.io.Closeable;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ThreadLocalRandom;

/**
 * A file being written beside the place where it will appear: {@code NAME.<random>.partial}.
 *
 * <p>Little-endian values are appended through a buffer. {@link #seal} writes the rest, flushes it
 * to disk and closes the file; {@link FileCommit} then renames it. {@link #close} without a commit
 * deletes it. A process that is killed leaves {@code .partial} files and nothing else. Not
 * thread-safe, but for {@link #force}.
 *
 * <p>A {@link #resumable} file is at {@code NAME.partial}, where a later process finds it, and
 * {@code close} leaves it there: whoever opened it deletes it when it is of no more use.
 */
public final class PendingFile implements Closeable {
  private static final int BUFFER_BYTES = 1 << 16;
  private static final int RESUME_BYTES = 1 << 20;

  private final Path target;
  private final Path path;
  private final FileChannel channel;
  private final MessageDigest digest = sha256();
  private final ByteBuffer buffer =
      ByteBuffer.allocate(BUFFER_BYTES).order(ByteOrder.LITTLE_ENDIAN);
  private long flushedBytes;
  private boolean hashed = true;
  private boolean failed;
  private boolean moved;
  private boolean kept;

  /** Starts files, each that will be {@code target}. */
  @FunctionalInterface
  public interface Opener {
    /** Starts one. */
    PendingFile open(Path target) throws IOException;
  }

  private PendingFile(Path target, Path path, FileChannel channel) {
    this.target = target;
    this.path = path;
    this.channel = channel;
  }

  /** Starts a file that will be {@code target}. */
  public static PendingFile create(Path target) throws IOException {
    Path directory = target.toAbsolutePath().getParent();
    if (directory == null || !Files.isDirectory(directory)) {
      throw new FileSystemException(target.toString(), null, "its directory does not exist");
    }
    Path path =
        target.resolveSibling(
            String.format(
                "%s.%016x.partial", target.getFileName(), ThreadLocalRandom.current().nextLong()));
    return open(target, path, StandardOpenOption.CREATE_NEW);
  }

  /** Where a resumable file is until it is committed: {@code NAME.partial}. */
  public static Path resumablePath(Path target) {
    return target.resolveSibling(target.getFileName() + ".partial");
  }

  /** Starts a file that a later process can go on with; what is at its place is lost. */
  public static PendingFile resumable(Path target) throws IOException {
    PendingFile file =
        open(
            target,
            resumablePath(target),
            StandardOpenOption.CREATE,
            StandardOpenOption.TRUNCATE_EXISTING);
    file.kept = true;
    return file;
  }

  /**
   * Goes on with a resumable file: reads its first bytes again, so that {@link #sha256SoFar} can be
   * compared with what it was, and cuts off the rest.
   *
   * @throws java.nio.file.NoSuchFileException if it is not there
   * @throws java.io.EOFException if it has fewer bytes
   */
  public static PendingFile resume(Path target, long bytes) throws IOException {
    Path path = resumablePath(target);
    if (!Files.exists(path)) {
      throw new NoSuchFileException(path.toString());
    }
    if (Files.size(path) < bytes) {
      throw new EOFException(
          path + ": expected at least " + bytes + " bytes, found " + Files.size(path));
    }
    PendingFile file = open(target, path);
    file.kept = true;
    try {
      ByteBuffer chunk = ByteBuffer.allocate(RESUME_BYTES);
      for (long at = 0; at < bytes; at += chunk.limit()) {
        chunk.clear().limit((int) Math.min(RESUME_BYTES, bytes - at));
        file.readBack(at, chunk);
        file.digest.update(chunk.array(), 0, chunk.limit());
      }
      file.flushedBytes = bytes;
      file.channel.truncate(bytes).position(bytes);
      return file;
    } catch (IOException e) {
      file.channel.close();
      throw e;
    }
  }

  /** With the file beside given; for tests, which choose one that cannot be written. */
  public static PendingFile open(Path target, Path path, OpenOption... options) throws IOException {
    Set<OpenOption> all = new HashSet<>(List.of(options));
    all.add(StandardOpenOption.READ);
    all.add(StandardOpenOption.WRITE);
    try {
      return new PendingFile(target, path, FileChannel.open(path, all));
    } catch (IOException e) {
      throw cannotWrite(target, "", e);
    }
  }

  private static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
  }

  private static FileSystemException cannotWrite(Path file, String where, IOException cause) {
    String reason =
        cause instanceof java.nio.file.AccessDeniedException
            ? "permission denied"
            : cause.getMessage();
    FileSystemException failure =
        new FileSystemException(file.toString(), null, "cannot write" + where + ": " + reason);
    failure.initCause(cause);
    return failure;
  }

  private FileSystemException cannotWriteOn(IOException cause) {
    return cannotWrite(target, " at byte " + flushedBytes, cause);
  }

  /** Where the file will appear. */
  public Path target() {
    return target;
  }

  /** Where the file is until then. */
  public Path path() {
    return path;
  }

  /** Bytes appended so far. */
  public long bytes() {
    return flushedBytes + buffer.position();
  }

  /** Appends four bytes. */
  public void putInt(int value) throws IOException {
    reserve(4);
    buffer.putInt(value);
  }

  /** Appends eight bytes. */
  public void putLong(long value) throws IOException {
    reserve(8);
    buffer.putLong(value);
  }

  /** Appends some bytes of an array. */
  public void put(byte[] bytes, int offset, int length) throws IOException {
    int from = offset;
    int end = offset + length;
    while (from < end) {
      reserve(1);
      int count = Math.min(end - from, buffer.remaining());
      buffer.put(bytes, from, count);
      from += count;
    }
  }

  /** Appends an array. */
  public void put(byte[] bytes) throws IOException {
    put(bytes, 0, bytes.length);
  }

  /** Appends what remains of a buffer. */
  public void put(ByteBuffer bytes) throws IOException {
    while (bytes.hasRemaining()) {
      int count = Math.min(bytes.remaining(), reserve(1).remaining());
      buffer.put(bytes.slice(bytes.position(), count));
      bytes.position(bytes.position() + count);
    }
  }

  /**
   * The little-endian buffer that bytes are appended to, with room for at least this many more, up
   * to {@value #BUFFER_BYTES}; for callers that fill it themselves.
   */
  public ByteBuffer reserve(int bytes) throws IOException {
    if (buffer.remaining() < bytes) {
      flush();
    }
    return buffer;
  }

  /** Hands everything appended to the operating system. */
  public void flush() throws IOException {
    if (failed) {
      throw new FileSystemException(target.toString(), null, "an earlier write failed");
    }
    failed = true; // until it is known to be written
    buffer.flip();
    digest.update(buffer.array(), 0, buffer.limit());
    try {
      while (buffer.hasRemaining()) {
        flushedBytes += channel.write(buffer);
      }
    } catch (IOException e) {
      throw cannotWriteOn(e);
    }
    buffer.clear();
    failed = false;
  }

  /** SHA-256 of everything appended so far, which is handed to the operating system first. */
  public String sha256SoFar() throws IOException {
    flush();
    if (!hashed) {
      hashAgain();
    }
    try {
      MessageDigest copy = (MessageDigest) digest.clone();
      return HexFormat.of().formatHex(copy.digest());
    } catch (CloneNotSupportedException e) {
      throw new IllegalStateException("the platform's SHA-256 can be copied", e);
    }
  }

  /**
   * Has the disk hold what the operating system was given before this call. Any thread may call it
   * until {@link #seal} or {@link #close}.
   */
  public void force() throws IOException {
    try {
      channel.force(false);
    } catch (IOException e) {
      throw cannotWriteOn(e);
    }
  }

  /**
   * Appends bytes of another file, by the operating system where it can. {@link #seal} then has to
   * read this file once more for its hash.
   *
   * @throws java.io.EOFException if the other file ends before
   */
  public void transferFrom(FileChannel source, long position, long count) throws IOException {
    flush();
    failed = true; // until it is known to be written
    hashed = false;
    channel.position(flushedBytes);
    long at = position;
    long end = position + count;
    while (at < end) {
      long moved;
      try {
        moved = source.transferTo(at, end - at, channel);
      } catch (IOException e) {
        throw cannotWriteOn(e);
      }
      if (moved <= 0) {
        throw new EOFException("a file to be copied to " + target + " ends at byte " + at);
      }
      at += moved;
      flushedBytes += moved;
    }
    failed = false;
  }

  /** Reads back what was flushed, from this byte on, until the buffer is full. */
  public void readBack(long position, ByteBuffer into) throws IOException {
    long at = position;
    while (into.hasRemaining()) {
      int count = channel.read(into, at);
      if (count < 0) {
        throw new FileSystemException(path.toString(), null, "was cut while it was written");
      }
      at += count;
    }
  }

  /** Writes the rest, flushes it to disk, closes the file, and returns its SHA-256. */
  public String seal() throws IOException {
    flush();
    if (!hashed) {
      hashAgain();
    }
    sealUnhashed();
    return HexFormat.of().formatHex(digest.digest());
  }

  /** Like {@link #seal}, where nobody wants the hash. */
  public void sealUnhashed() throws IOException {
    flush();
    try {
      channel.force(true);
      channel.close();
    } catch (IOException e) {
      throw cannotWriteOn(e);
    }
  }

  private void hashAgain() throws IOException {
    digest.reset();
    ByteBuffer chunk = ByteBuffer.allocate(BUFFER_BYTES);
    for (long at = 0; at < flushedBytes; at += chunk.limit()) {
      chunk.clear().limit((int) Math.min(BUFFER_BYTES, flushedBytes - at));
      readBack(at, chunk);
      digest.update(chunk.array(), 0, chunk.limit());
    }
    hashed = true;
  }

  /** Told by {@link FileCommit}: nothing is left to delete. */
  void moved() {
    moved = true;
  }

  /** Deletes the file unless it was committed or is resumable. Idempotent. */
  @Override
  public void close() throws IOException {
    channel.close();
    if (!moved && !kept) {
      Files.deleteIfExists(path);
    }
  }
}
