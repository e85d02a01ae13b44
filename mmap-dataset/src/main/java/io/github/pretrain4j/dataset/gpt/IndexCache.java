package io.github.pretrain4j.dataset.gpt;

import io.github.pretrain4j.dataset.CorruptDatasetException;
import io.github.pretrain4j.dataset.storage.FileCommit;
import io.github.pretrain4j.dataset.storage.PendingFile;
import io.github.pretrain4j.dataset.storage.Scope;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ThreadLocalRandom;
import org.jspecify.annotations.Nullable;

/**
 * The files that keep the arrays of one index: {@code STEM-description.txt} and some {@code .npy}.
 *
 * <p>An index is there when all its files are. Files are written beside and renamed, so that each
 * is whole or absent whenever the writer dies. While one process builds, others wait for {@code
 * STEM-building.lock} and then read what it made; the operating system takes the lock from a
 * process that dies. The file of the lock is deleted when it is let go, and whoever gets a lock on
 * a deleted file asks again. Where a file system has no locks, everybody builds: the bytes are the
 * same, and renames do not mind.
 */
final class IndexCache {
  private static final String DESCRIPTION = "description.txt";
  private static final long POLL_MILLIS = 20;

  private final Path directory;
  private final String stem;
  private final String description;
  private final List<String> arrays;

  /**
   * An index by its description.
   *
   * @param stem how all names begin; ends in a hyphen
   * @param arrays how the names of the arrays end
   */
  IndexCache(Path directory, String stem, String description, String... arrays) {
    this.directory = directory;
    this.stem = stem;
    this.description = description;
    this.arrays = List.of(arrays);
  }

  /** Fills a file. */
  interface ArrayWriter {
    void write(PendingFile file) throws IOException;
  }

  /** Reads and checks the files. */
  interface Reader<T> {
    T read() throws IOException;
  }

  /** Builds the arrays, and says how they are written, by the ends of their names. */
  interface Builder {
    Map<String, ArrayWriter> build() throws IOException;
  }

  /** MD5 of a description, which starts the names of its files. */
  static String hash(String description) {
    try {
      MessageDigest md5 = MessageDigest.getInstance("MD5");
      return HexFormat.of().formatHex(md5.digest(description.getBytes(StandardCharsets.UTF_8)));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has MD5", e);
    }
  }

  /** A file of the index by the end of its name. */
  Path file(String end) {
    return directory.resolve(stem + end);
  }

  /**
   * Reads the index, after building it if it is not there.
   *
   * @throws CorruptDatasetException if a file is there that cannot be right
   */
  <T> T open(Reader<T> reader, Builder builder) throws IOException {
    if (!isComplete()) {
      Files.createDirectories(directory);
      Lock lock = Lock.acquire(file("building.lock"));
      try {
        if (!isComplete()) {
          write(builder.build());
        }
      } finally {
        lock.close();
      }
    }
    checkDescription();
    return reader.read();
  }

  private boolean isComplete() {
    return Files.exists(file(DESCRIPTION))
        && arrays.stream().allMatch(array -> Files.exists(file(array)));
  }

  private void write(Map<String, ArrayWriter> writers) throws IOException {
    List<PendingFile> files = new ArrayList<>();
    Scope opened = new Scope();
    try {
      PendingFile text = opened.add(PendingFile.create(file(DESCRIPTION)));
      text.put(description.getBytes(StandardCharsets.UTF_8));
      for (String array : arrays) {
        PendingFile file = opened.add(PendingFile.create(file(array)));
        Objects.requireNonNull(writers.get(array), array).write(file);
        files.add(file);
      }
      files.add(text);
      for (PendingFile file : files) {
        file.seal();
      }
      FileCommit.replace(files);
    } catch (IOException | RuntimeException e) {
      opened.closeAfter(e);
      throw e;
    }
    opened.close();
  }

  private void checkDescription() throws IOException {
    Path file = file(DESCRIPTION);
    byte[] expected = description.getBytes(StandardCharsets.UTF_8);
    long size = Files.size(file);
    if (size != expected.length) {
      throw damaged(file, 0, "description", expected.length + " bytes", size);
    }
    int mismatch = Arrays.mismatch(expected, Files.readAllBytes(file));
    if (mismatch >= 0) {
      throw damaged(file, mismatch, "description", "the text of hash " + stem, "another text");
    }
  }

  /** What to throw for a file that cannot be right; says what to do. */
  static CorruptDatasetException damaged(
      Path file, long at, String what, Object expected, Object found) {
    return new CorruptDatasetException(
        file, at, what, expected + " (delete the file to make it anew)", found);
  }

  /** The right to build an index. */
  private record Lock(Path path, FileChannel channel, @Nullable FileLock held) {
    static Lock acquire(Path path) throws IOException {
      while (true) {
        FileChannel channel =
            FileChannel.open(path, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        try {
          FileLock held = waitFor(channel, path);
          if (held == null || isStillThere(path, held)) {
            return new Lock(path, channel, held);
          }
        } catch (IOException | RuntimeException e) {
          try {
            channel.close();
          } catch (IOException suppressed) {
            e.addSuppressed(suppressed);
          }
          throw e;
        }
        channel.close();
      }
    }

    /** The lock, or null where there are none. */
    private static @Nullable FileLock waitFor(FileChannel channel, Path path)
        throws InterruptedIOException {
      while (true) {
        FileLock held;
        try {
          held = channel.tryLock();
        } catch (OverlappingFileLockException e) {
          held = null; // another thread of this process builds
        } catch (IOException e) {
          return null; // no locks here: build beside others
        }
        if (held != null) {
          return held;
        }
        try {
          Thread.sleep(POLL_MILLIS);
        } catch (InterruptedException e) {
          Thread.currentThread().interrupt();
          throw new InterruptedIOException("interrupted while another process builds " + path);
        }
      }
    }

    /** Whether the locked file is the one that the next to come would lock: see its content. */
    private static boolean isStillThere(Path path, FileLock held) throws IOException {
      byte[] mark =
          String.format("%016x", ThreadLocalRandom.current().nextLong())
              .getBytes(StandardCharsets.US_ASCII);
      FileChannel channel = (FileChannel) held.acquiredBy();
      channel.write(ByteBuffer.wrap(mark), 0);
      try {
        return Arrays.equals(mark, Files.readAllBytes(path));
      } catch (NoSuchFileException e) {
        return false;
      }
    }

    void close() throws IOException {
      // Deleted while it is held: who waits for it finds out, and asks for the new one.
      Files.deleteIfExists(path);
      channel.close();
    }
  }
}
