package io.github.pretrain4j.checkpoint;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * One planned file while it is made, beside its place. Thread-safe for writes to different places.
 */
final class PlannedTarget {
  /** Slots that can be read at any place are cut into parts of this many bytes. */
  static final long PART_BYTES = 32 << 20;

  /**
   * A slot or a part of one: what a worker does at a time, and what a journal records.
   *
   * @param number within the file
   * @param from first byte, counted in the slot
   */
  record Part(PlannedTarget target, int number, int slot, long from, long byteCount) {}

  private final int number;
  private final PlannedFile file;
  private final Path place;
  private final Path beside;
  private final List<Part> parts = new ArrayList<>();
  private final int[] firstParts;
  private final int[] crcs;
  private final boolean[] done;
  private final AtomicInteger missing;
  private final AtomicLong written = new AtomicLong();
  private @Nullable FileChannel channel;
  private boolean fresh = true;
  private volatile long flushedBytes;
  private volatile boolean framed;

  PlannedTarget(int number, Path directory, PlannedFile file) {
    this.number = number;
    this.file = file;
    this.place = directory.resolve(file.path());
    this.beside = place.resolveSibling("." + place.getFileName() + ".tmp");
    List<PlannedFile.Slot> slots = file.slots();
    this.firstParts = new int[slots.size()];
    for (int i = 0; i < slots.size(); i++) {
      firstParts[i] = parts.size();
      long bytes = slots.get(i).tensor().byteCount();
      long partBytes = slots.get(i).content() instanceof CopiedContent ? PART_BYTES : bytes;
      long from = 0;
      do { // an empty slot has one empty part: its content is asked all the same
        long length = Math.min(partBytes, bytes - from);
        parts.add(new Part(this, parts.size(), i, from, length));
        from += length;
      } while (from < bytes);
    }
    this.crcs = new int[parts.size()];
    this.done = new boolean[parts.size()];
    this.missing = new AtomicInteger(parts.size());
  }

  /** Which of the files it is. */
  int number() {
    return number;
  }

  PlannedFile file() {
    return file;
  }

  Path place() {
    return place;
  }

  Path beside() {
    return beside;
  }

  List<Part> parts() {
    return parts;
  }

  /** The byte after a part, counted in the file. */
  long end(int part) {
    Part found = parts.get(part);
    return file.slots().get(found.slot()).byteOffset() + found.from() + found.byteCount();
  }

  /** True if the part is in the file, from this run or from an earlier one. */
  synchronized boolean isDone(Part part) {
    return done[part.number()];
  }

  /** Takes over what an earlier run wrote; the file beside stays as it is. */
  synchronized void resume(int part, int crc) {
    fresh = false;
    finished(parts.get(part), crc);
  }

  /** Takes note of a part; true if it was the last one missing. */
  synchronized boolean finished(Part part, int crc) {
    crcs[part.number()] = crc;
    if (done[part.number()]) {
      return false;
    }
    done[part.number()] = true;
    return missing.decrementAndGet() == 0;
  }

  boolean isFilled() {
    return missing.get() == 0;
  }

  private synchronized FileChannel channel() throws IOException {
    if (channel == null) {
      Files.createDirectories(place.toAbsolutePath().resolveSibling(""));
      channel =
          fresh
              ? FileChannel.open(
                  beside,
                  StandardOpenOption.CREATE,
                  StandardOpenOption.TRUNCATE_EXISTING,
                  StandardOpenOption.WRITE)
              : FileChannel.open(beside, StandardOpenOption.WRITE);
      fresh = false;
    }
    return channel;
  }

  void write(long byteOffset, ByteBuffer source) throws IOException {
    long at = byteOffset;
    try {
      FileChannel out = channel();
      while (source.hasRemaining()) {
        int count = out.write(source, at);
        at += count;
        written.addAndGet(count);
      }
    } catch (IOException e) {
      throw new CheckpointWriteException(place, written.get(), e);
    }
  }

  /** Writes what is not in slots, and flushes and closes the file. */
  void frame() throws IOException {
    file.writeFrame(this::write, this::crc32);
    FileChannel out = channel(); // also makes a file that is empty
    if (out.size() > file.size() && out.size() > 0) {
      out.truncate(file.size()); // a longer one that a killed run left
    }
    if (out.size() != file.size()) {
      throw new IllegalStateException(
          place + ": " + out.size() + " bytes were written, " + file.size() + " planned");
    }
    flushedBytes = -1; // a file that was cut is to be flushed, too
    flush();
    framed = true;
    close();
  }

  /** The checksum of a slot, from those of its parts. */
  private synchronized int crc32(int slot) {
    int first = firstParts[slot];
    int end = slot + 1 < firstParts.length ? firstParts[slot + 1] : parts.size();
    int crc = crcs[first];
    for (int i = first + 1; i < end; i++) {
      crc = CombinedCrc32.of(crc, crcs[i], parts.get(i).byteCount());
    }
    return crc;
  }

  /** Flushes what has been written to disk; may be called while others write or frame. */
  void flush() throws IOException {
    FileChannel out;
    synchronized (this) {
      out = channel;
    }
    long writtenBefore = written.get();
    if (out == null || writtenBefore == flushedBytes) {
      return; // nothing was written since, or it is flushed and closed
    }
    try {
      out.force(false); // the length, too: without it the data could not be read
      flushedBytes = writtenBefore;
    } catch (ClosedChannelException e) {
      if (!framed) { // else it was flushed before it was closed
        throw new CheckpointWriteException(place, written.get(), e);
      }
    } catch (IOException e) {
      throw new CheckpointWriteException(place, written.get(), e);
    }
  }

  /** Closes the file; it stays beside its place. */
  synchronized void close() throws IOException {
    if (channel != null) {
      channel.close();
      channel = null;
    }
  }

  /** Removes what was written beside. */
  void discard() throws IOException {
    close();
    Files.deleteIfExists(beside);
  }

  /** Makes the complete file visible. */
  void publish() throws IOException {
    Files.move(beside, place, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
  }
}
