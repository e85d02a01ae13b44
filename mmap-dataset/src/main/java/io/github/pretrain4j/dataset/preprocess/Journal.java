package io.github.pretrain4j.dataset.preprocess;

import java.io.ByteArrayInputStream;
import java.io.Closeable;
import java.io.DataInputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/**
 * The journal of a run, {@code PREFIX.journal}: what a later process needs to go on with it. It is
 * there while there is something to go on with, and whoever has it open is the only one to write
 * this prefix's outputs.
 *
 * <pre>
 * byte  size  type  content
 * 0     8           "P4JPREP1"
 * then, for each record:
 *       4     i32   n, bytes of the payload
 *       4     u32   CRC-32C of the payload
 *       n           the payload, see {@link JournalRecord}
 * </pre>
 *
 * <p>Numbers are big-endian. Records are only ever appended. A process may be killed while it
 * writes one, so the first record that is not whole ends the journal: the one before it still says
 * the truth, because the files it speaks of only grow. Not thread-safe.
 */
final class Journal implements Closeable {
  private static final byte[] MAGIC = {'P', '4', 'J', 'P', 'R', 'E', 'P', '1'};
  private static final int RECORD_HEADER_BYTES = 8;

  private final Path path;
  private final FileChannel channel;
  private final List<JournalRecord.Finished> finished = new ArrayList<>();
  private final long foundBytes;
  private JournalRecord.@Nullable Start start;
  private @Nullable JournalRecord last;
  private long end; // of the last whole record; 0 without magic

  private Journal(Path path, FileChannel channel) throws IOException {
    this.path = path;
    this.channel = channel;
    this.foundBytes = channel.size();
    readAll();
  }

  /**
   * Opens, creates and locks a journal, and reads what it says.
   *
   * @throws FileSystemException if another run has it
   */
  static Journal open(Path path) throws IOException {
    while (true) {
      FileChannel channel =
          FileChannel.open(
              path, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE);
      try {
        lock(channel, path);
        if (isStill(channel, path)) {
          return new Journal(path, channel);
        }
        channel.close(); // its owner has ended, and deleted it, since it was opened
      } catch (IOException | RuntimeException e) {
        channel.close();
        throw e;
      }
    }
  }

  private static void lock(FileChannel channel, Path path) throws IOException {
    boolean locked;
    try {
      locked = channel.tryLock() != null;
    } catch (OverlappingFileLockException e) {
      locked = false; // by another thread of this process
    }
    if (!locked) {
      throw new FileSystemException(
          path.toString(), null, "another run is writing to this output prefix");
    }
  }

  /** Whether the path still leads to the locked file: a byte written here shows there. */
  private static boolean isStill(FileChannel channel, Path path) throws IOException {
    try {
      BasicFileAttributes before = Files.readAttributes(path, BasicFileAttributes.class);
      if (before.size() != channel.size()) {
        return false;
      }
      channel.write(ByteBuffer.allocate(1), before.size());
      try {
        return Files.size(path) == before.size() + 1;
      } finally {
        channel.truncate(before.size());
      }
    } catch (NoSuchFileException e) {
      return false;
    }
  }

  private void readAll() throws IOException {
    ByteBuffer magic = readAt(0, MAGIC.length);
    if (magic.remaining() < MAGIC.length || !magic.equals(ByteBuffer.wrap(MAGIC))) {
      return;
    }
    end = MAGIC.length;
    while (true) {
      ByteBuffer header = readAt(end, RECORD_HEADER_BYTES).order(ByteOrder.BIG_ENDIAN);
      if (header.remaining() < RECORD_HEADER_BYTES) {
        return;
      }
      int length = header.getInt();
      int checksum = header.getInt();
      if (length < 1 || length > foundBytes - end - RECORD_HEADER_BYTES) {
        return;
      }
      ByteBuffer content = readAt(end + RECORD_HEADER_BYTES, length);
      byte[] payload = new byte[content.remaining()];
      content.get(payload);
      if (payload.length < length || checksum(payload) != checksum) {
        return;
      }
      try {
        note(JournalRecord.read(new DataInputStream(new ByteArrayInputStream(payload))));
      } catch (IOException | IllegalArgumentException e) {
        UnresumableException unknown =
            new UnresumableException(
                path,
                "the record at byte " + end,
                "one of this version",
                String.valueOf(e.getMessage()));
        unknown.initCause(e);
        throw unknown;
      }
      end += RECORD_HEADER_BYTES + length;
    }
  }

  private ByteBuffer readAt(long position, int length) throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate(length);
    while (bytes.hasRemaining()) {
      if (channel.read(bytes, position + bytes.position()) < 0) {
        break;
      }
    }
    return bytes.flip();
  }

  private static int checksum(byte[] payload) {
    CRC32C crc = new CRC32C();
    crc.update(payload);
    return (int) crc.getValue();
  }

  Path path() {
    return path;
  }

  /** Which run this is, or null if not even that was written. */
  JournalRecord.@Nullable Start start() {
    return start;
  }

  /** The last whole record, or null without any. */
  @Nullable JournalRecord last() {
    return last;
  }

  /** The inputs that had ended when the last record was written, in their order. */
  List<JournalRecord.Finished> finished() {
    return List.copyOf(finished);
  }

  /** Whether a later process can go on from here. */
  boolean hasProgress() {
    return last instanceof JournalRecord.Progress || last instanceof JournalRecord.Sealed;
  }

  private void note(JournalRecord entry) {
    if (entry instanceof JournalRecord.Start first) {
      start = first;
    } else if (entry instanceof JournalRecord.Progress progress) {
      finished.addAll(progress.finished());
    }
    last = entry;
  }

  /** Whether there was a file with anything in it. */
  boolean wasThere() {
    return foundBytes > 0;
  }

  /** Appends a record, behind the last whole one, and has the disk hold it. */
  void append(JournalRecord entry) throws IOException {
    byte[] payload = entry.toBytes();
    ByteBuffer bytes =
        ByteBuffer.allocate(MAGIC.length + RECORD_HEADER_BYTES + payload.length)
            .order(ByteOrder.BIG_ENDIAN);
    if (end == 0) {
      bytes.put(MAGIC);
    }
    bytes.putInt(payload.length).putInt(checksum(payload)).put(payload).flip();
    long next = end + bytes.remaining();
    try {
      channel.truncate(end);
      long at = end;
      while (bytes.hasRemaining()) {
        at += channel.write(bytes, at);
      }
      channel.force(true);
    } catch (IOException e) {
      FileSystemException failure =
          new FileSystemException(path.toString(), null, "cannot write: " + e.getMessage());
      failure.initCause(e);
      throw failure;
    }
    end = next;
    note(entry);
  }

  /** Forgets all records. */
  void clear() throws IOException {
    channel.truncate(0);
    channel.force(true);
    finished.clear();
    start = null;
    last = null;
    end = 0;
  }

  /** Deletes the file, which ends the run, while nobody else can have it. */
  void delete() throws IOException {
    Files.deleteIfExists(path);
  }

  /** Lets others have it. Idempotent. */
  @Override
  public void close() throws IOException {
    channel.close();
  }
}
