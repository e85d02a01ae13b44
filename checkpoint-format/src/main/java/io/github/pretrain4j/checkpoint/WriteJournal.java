package io.github.pretrain4j.checkpoint;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.zip.CRC32;

/**
 * Records which parts of planned files are written and on disk, so that a killed run can be
 * continued. Not thread-safe.
 *
 * <pre>
 *   0    8   "p4jwrite"
 *   8   32   SHA-256 of the plan
 *  40   16   per part: i32 file, i32 part, i32 CRC-32 of the part, i32 CRC-32 of these 12 bytes
 *            file -1: all files are complete, and renaming may have begun
 * </pre>
 *
 * <p>A record that is cut short or damaged ends the journal: what comes after it is not believed.
 */
final class WriteJournal implements AutoCloseable {
  private static final byte[] MAGIC = "p4jwrite".getBytes(StandardCharsets.US_ASCII);
  private static final int HEADER_BYTES = 40;
  private static final int RECORD_BYTES = 16;
  private static final int ALL_COMPLETE = -1;

  /** One part that is on disk. */
  record Entry(int file, int part, int crc) {
    boolean allComplete() {
      return file == ALL_COMPLETE;
    }
  }

  private final Path path;
  private final FileChannel channel;

  private WriteJournal(Path path, FileChannel channel) {
    this.path = path;
    this.channel = channel;
  }

  /** What identifies a plan: the layout of every file, and what the caller says of the sources. */
  static byte[] identity(List<? extends PlannedFile> files, String fingerprint) {
    MessageDigest digest;
    try {
      digest = MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
    update(digest, fingerprint);
    update(digest, Long.toString(PlannedTarget.PART_BYTES));
    for (PlannedFile file : files) {
      update(digest, "file " + file.size() + " " + file.path());
      for (PlannedFile.Slot slot : file.slots()) {
        boolean inParts = slot.content() instanceof CopiedContent;
        update(digest, "slot " + slot.byteOffset() + " " + inParts + " " + slot.tensor());
      }
    }
    return digest.digest();
  }

  private static void update(MessageDigest digest, String text) {
    byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
    digest.update(ByteBuffer.allocate(Integer.BYTES).putInt(utf8.length).array());
    digest.update(utf8);
  }

  /** The entries of a journal of that identity; empty if there is none such. */
  static List<Entry> read(Path path, byte[] identity) throws IOException {
    List<Entry> entries = new ArrayList<>();
    if (!isOf(path, identity)) {
      return entries;
    }
    ByteBuffer in = ByteBuffer.wrap(Files.readAllBytes(path)).order(ByteOrder.LITTLE_ENDIAN);
    in.position(HEADER_BYTES);
    while (in.remaining() >= RECORD_BYTES) {
      ByteBuffer record = in.slice(in.position(), RECORD_BYTES).order(ByteOrder.LITTLE_ENDIAN);
      if (checksum(record) != record.getInt(12)) {
        break;
      }
      entries.add(new Entry(record.getInt(0), record.getInt(4), record.getInt(8)));
      in.position(in.position() + RECORD_BYTES);
    }
    return entries;
  }

  /** True if the journal is there and of that identity. */
  static boolean isOf(Path path, byte[] identity) throws IOException {
    if (!Files.isRegularFile(path)) {
      return false;
    }
    ByteBuffer header = ByteBuffer.allocate(HEADER_BYTES);
    try (FileChannel in = FileChannel.open(path, StandardOpenOption.READ)) {
      for (int count = 0; header.hasRemaining() && count >= 0; ) {
        count = in.read(header);
      }
    }
    return !header.hasRemaining()
        && Arrays.equals(MAGIC, Arrays.copyOf(header.array(), MAGIC.length))
        && Arrays.equals(identity, Arrays.copyOfRange(header.array(), MAGIC.length, HEADER_BYTES));
  }

  /** Begins a journal, or goes on behind the {@code kept} entries of the one that is there. */
  static WriteJournal open(Path path, byte[] identity, int kept) throws IOException {
    Files.createDirectories(path.toAbsolutePath().resolveSibling(""));
    FileChannel channel =
        FileChannel.open(path, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
    WriteJournal journal = new WriteJournal(path, channel);
    try {
      if (kept == 0) {
        channel.truncate(0);
        journal.write(ByteBuffer.allocate(HEADER_BYTES).put(MAGIC).put(identity).flip());
      } else {
        channel.truncate(HEADER_BYTES + (long) kept * RECORD_BYTES);
        channel.position(channel.size());
      }
      channel.force(true);
      DurableFiles.flushDirectory(path.toAbsolutePath().resolveSibling(""));
      return journal;
    } catch (IOException e) {
      try (channel) {
        throw e;
      }
    }
  }

  /** Appends entries, whose data is on disk, and flushes them. */
  void append(List<Entry> entries) throws IOException {
    ByteBuffer out =
        ByteBuffer.allocate(Math.multiplyExact(entries.size(), RECORD_BYTES))
            .order(ByteOrder.LITTLE_ENDIAN);
    for (Entry entry : entries) {
      ByteBuffer record = ByteBuffer.allocate(RECORD_BYTES).order(ByteOrder.LITTLE_ENDIAN);
      record.putInt(entry.file()).putInt(entry.part()).putInt(entry.crc());
      out.put(record.putInt(checksum(record)).flip());
    }
    write(out.flip());
    try {
      channel.force(false);
    } catch (IOException e) {
      throw new CheckpointWriteException(path, channel.position(), e);
    }
  }

  /** Appends that all files are complete. */
  void appendAllComplete() throws IOException {
    append(List.of(new Entry(ALL_COMPLETE, 0, 0)));
  }

  private static int checksum(ByteBuffer record) {
    CRC32 crc = new CRC32();
    crc.update(record.array(), record.arrayOffset(), RECORD_BYTES - Integer.BYTES);
    return ~(int) crc.getValue(); // so that zeros are no record
  }

  private void write(ByteBuffer source) throws IOException {
    try {
      while (source.hasRemaining()) {
        channel.write(source);
      }
    } catch (IOException e) {
      throw new CheckpointWriteException(path, channel.position(), e);
    }
  }

  @Override
  public void close() throws IOException {
    channel.close();
  }
}
