package io.github.pretrain4j.checkpoint;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.zip.CRC32;
import org.jspecify.annotations.Nullable;

/**
 * One run of {@link PlannedFiles#write}.
 *
 * <p>Workers take the parts of all files in order, so that files are read and written forward;
 * whoever finishes the last part of a file also frames, flushes and closes it. With a journal, one
 * thread more flushes the files every few seconds and then records the parts that were finished
 * before: a part in the journal is on disk even if the power fails.
 *
 * <p>The order of what becomes durable: parts, their journal entries; frames of all files, the
 * entry that all are complete; renames. So a run may stop anywhere, and the next one knows.
 */
final class PlannedWrite {
  private static final int BUFFER_BYTES = 1 << 20;

  /** How much work a kill may cost. */
  static final long FLUSH_INTERVAL_MILLIS = 2000;

  private static final long FLUSH_BYTES = 128 << 20;

  private final List<PlannedTarget> targets = new ArrayList<>();
  private final PlannedFiles.Options options;
  private final long flushIntervalMillis;
  private final byte[] identity;
  private final List<PlannedTarget.Part> queue = new ArrayList<>();
  private final List<PlannedTarget> filledBefore = new ArrayList<>();
  private final AtomicInteger next = new AtomicInteger();
  private final List<WriteJournal.Entry> finished = new ArrayList<>(); // guarded by itself
  private final Object progressLock = new Object();
  private final long totalBytes;
  private long writtenBytes; // guarded by progressLock
  private boolean workersDone; // guarded by this
  private long unflushedBytes; // guarded by this
  private volatile @Nullable Throwable failure;

  PlannedWrite(
      Path directory,
      List<? extends PlannedFile> files,
      PlannedFiles.Options options,
      long flushIntervalMillis) {
    this.options = options;
    this.flushIntervalMillis = flushIntervalMillis;
    this.identity =
        options.journal() == null
            ? new byte[0]
            : WriteJournal.identity(files, options.fingerprint());
    Set<Path> places = new HashSet<>();
    long total = 0;
    for (PlannedFile file : files) {
      PlannedTarget target = new PlannedTarget(targets.size(), directory, file);
      if (!places.add(target.place()) || !places.add(target.beside())) {
        throw new IllegalArgumentException("two files in one place: " + target.place());
      }
      targets.add(target);
      for (PlannedTarget.Part part : target.parts()) {
        total = Math.addExact(total, part.byteCount());
      }
    }
    this.totalBytes = total;
  }

  void run() throws IOException {
    Path path = options.journal();
    if (path == null) {
      try {
        fillAll(null);
        publish();
      } catch (IOException | RuntimeException | Error e) {
        discard(e);
        throw e;
      }
      return;
    }
    List<WriteJournal.Entry> entries = WriteJournal.read(path, identity);
    boolean complete = !entries.isEmpty() && entries.get(entries.size() - 1).allComplete();
    if (complete && allThere()) {
      publish();
      return;
    }
    int kept = complete ? 0 : resume(entries);
    try (WriteJournal journal = WriteJournal.open(path, identity, kept)) {
      fillAll(journal);
      journal.appendAllComplete();
      publish();
    } finally {
      for (PlannedTarget target : targets) {
        target.close();
      }
    }
  }

  /** True if every file is beside its place or already there. */
  private boolean allThere() throws IOException {
    for (PlannedTarget target : targets) {
      Path path = Files.exists(target.beside()) ? target.beside() : target.place();
      if (!Files.isRegularFile(path) || Files.size(path) != target.file().size()) {
        return false;
      }
    }
    return true;
  }

  /** Takes over what is on disk; 0 if anything of it is not as the journal says. */
  private int resume(List<WriteJournal.Entry> entries) throws IOException {
    long[] ends = new long[targets.size()];
    for (WriteJournal.Entry entry : entries) {
      if (entry.file() < 0
          || entry.file() >= targets.size()
          || entry.part() < 0
          || entry.part() >= targets.get(entry.file()).parts().size()) {
        return 0;
      }
      PlannedTarget target = targets.get(entry.file());
      ends[entry.file()] = Math.max(ends[entry.file()], target.end(entry.part()));
    }
    for (WriteJournal.Entry entry : entries) {
      Path beside = targets.get(entry.file()).beside();
      if (!Files.isRegularFile(beside) || Files.size(beside) < ends[entry.file()]) {
        return 0;
      }
    }
    for (WriteJournal.Entry entry : entries) {
      PlannedTarget target = targets.get(entry.file());
      target.resume(entry.part(), entry.crc());
    }
    return entries.size();
  }

  private void fillAll(@Nullable WriteJournal journal) throws IOException {
    for (PlannedTarget target : targets) {
      if (target.isFilled()) {
        filledBefore.add(target);
      }
    }
    queueParts();
    if (options.workers() == 1 && journal == null) {
      work();
    } else {
      runThreads(journal);
    }
    rethrow();
  }

  /**
   * Puts parts in the order of files and slots, but slots of one name together and of those the
   * same places: as a rule they are what several ranks get of one tensor, which is then read from
   * the disk once.
   */
  private void queueParts() {
    Map<String, List<PlannedTarget.Part>> byName = new LinkedHashMap<>();
    for (PlannedTarget target : targets) {
      for (PlannedTarget.Part part : target.parts()) {
        if (target.isDone(part)) {
          writtenBytes += part.byteCount();
        } else {
          String name = target.file().slots().get(part.slot()).tensor().name();
          byName.computeIfAbsent(name, unused -> new ArrayList<>()).add(part);
        }
      }
    }
    for (List<PlannedTarget.Part> parts : byName.values()) {
      parts.sort(Comparator.comparingLong(PlannedTarget.Part::from)); // stable
      queue.addAll(parts);
    }
  }

  private void runThreads(@Nullable WriteJournal journal) throws IOException {
    List<Thread> workers = new ArrayList<>();
    int count = Math.min(options.workers(), Math.max(1, queue.size() + filledBefore.size()));
    for (int i = 0; i < count; i++) {
      workers.add(new Thread(this::work, "p4j-write-" + i));
    }
    Thread flusher = new Thread(() -> flush(journal), "p4j-write-flush");
    workers.forEach(Thread::start);
    flusher.start();
    boolean interrupted = false;
    for (Thread worker : workers) {
      interrupted |= join(worker);
    }
    synchronized (this) {
      workersDone = true;
      notifyAll();
    }
    interrupted |= join(flusher);
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  /** Waits for a thread's end; if interrupted, has all stop soon, waits on and returns true. */
  private boolean join(Thread thread) {
    boolean interrupted = false;
    while (true) {
      try {
        thread.join();
        return interrupted;
      } catch (InterruptedException e) {
        interrupted = true;
        fail(new InterruptedIOException("interrupted while writing files"));
      }
    }
  }

  private synchronized void fail(Throwable e) {
    Throwable first = failure;
    if (first == null) {
      failure = e;
    } else if (first != e) {
      first.addSuppressed(e);
    }
    notifyAll();
  }

  private void rethrow() throws IOException {
    Throwable e = failure;
    if (e instanceof IOException io) {
      throw io;
    } else if (e instanceof RuntimeException runtime) {
      throw runtime;
    } else if (e instanceof Error error) {
      throw error;
    }
  }

  private void work() {
    try {
      ByteBuffer buffer = ByteBuffer.allocateDirect(BUFFER_BYTES);
      while (failure == null) {
        int i = next.getAndIncrement();
        if (i < filledBefore.size()) {
          filledBefore.get(i).frame();
        } else if (i - filledBefore.size() < queue.size()) {
          fill(queue.get(i - filledBefore.size()), buffer);
        } else {
          return;
        }
      }
    } catch (IOException | RuntimeException | Error e) {
      fail(e);
    }
  }

  private void fill(PlannedTarget.Part part, ByteBuffer buffer) throws IOException {
    PlannedTarget target = part.target();
    PlannedFile.Slot slot = target.file().slots().get(part.slot());
    int crc =
        slot.content() instanceof CopiedContent copied
            ? copy(part, slot, copied, buffer)
            : new SlotChannel(target, slot, buffer).fill();
    if (options.journal() != null) {
      synchronized (finished) {
        finished.add(new WriteJournal.Entry(target.number(), part.number(), crc));
      }
    }
    if (target.finished(part, crc)) {
      target.frame();
    }
  }

  private int copy(
      PlannedTarget.Part part, PlannedFile.Slot slot, CopiedContent content, ByteBuffer buffer)
      throws IOException {
    CRC32 crc = new CRC32();
    long end = part.from() + part.byteCount();
    for (long at = part.from(); at < end; at += buffer.limit()) {
      buffer.clear().limit((int) Math.min(BUFFER_BYTES, end - at));
      content.read(slot.tensor(), at, buffer);
      crc.update(buffer.flip());
      buffer.flip();
      part.target().write(slot.byteOffset() + at, buffer);
      wrote(buffer.limit());
    }
    return (int) crc.getValue();
  }

  private void wrote(int bytes) throws InterruptedIOException {
    synchronized (this) {
      unflushedBytes += bytes;
      if (unflushedBytes >= FLUSH_BYTES) {
        notifyAll();
      }
    }
    synchronized (progressLock) {
      writtenBytes += bytes;
      options.listener().progress(writtenBytes, totalBytes);
    }
    if (failure != null) {
      throw new InterruptedIOException("another worker failed");
    }
  }

  /** Takes a tensor's data in pieces of any size. */
  private final class SlotChannel implements WritableByteChannel {
    private final PlannedTarget target;
    private final PlannedFile.Slot slot;
    private final ByteBuffer buffer;
    private final CRC32 crc = new CRC32();
    private long drained;

    SlotChannel(PlannedTarget target, PlannedFile.Slot slot, ByteBuffer buffer) {
      this.target = target;
      this.slot = slot;
      this.buffer = buffer.clear();
    }

    int fill() throws IOException {
      slot.content().write(slot.tensor(), this);
      drain();
      long missing = slot.tensor().byteCount() - drained;
      if (missing != 0) {
        throw new IllegalStateException(
            missing + " of " + slot.tensor().byteCount() + " bytes missing for " + slot.tensor());
      }
      return (int) crc.getValue();
    }

    @Override
    public int write(ByteBuffer source) throws IOException {
      int count = source.remaining();
      if (count > slot.tensor().byteCount() - drained - buffer.position()) {
        throw new IllegalStateException(
            "more than " + slot.tensor().byteCount() + " bytes for " + slot.tensor());
      }
      int end = source.limit();
      while (source.position() < end) {
        source.limit(Math.min(end, source.position() + buffer.remaining()));
        buffer.put(source);
        source.limit(end);
        if (!buffer.hasRemaining()) {
          drain();
        }
      }
      return count;
    }

    private void drain() throws IOException {
      buffer.flip();
      crc.update(buffer.duplicate());
      int count = buffer.remaining();
      target.write(slot.byteOffset() + drained, buffer);
      drained += count;
      buffer.clear();
      wrote(count);
    }

    @Override
    public boolean isOpen() {
      return true;
    }

    @Override
    public void close() {}
  }

  /**
   * Flushes and records now and then until the workers have ended, and records once after that.
   * Data goes to the disk while the workers go on, so that little is left to flush in the end.
   */
  private void flush(@Nullable WriteJournal journal) {
    try {
      boolean last = false;
      while (!last) {
        synchronized (this) {
          if (!workersDone && unflushedBytes < FLUSH_BYTES) {
            wait(flushIntervalMillis);
          }
          unflushedBytes = 0;
          last = workersDone;
        }
        // Taken first: what is finished by now has been written before it is flushed.
        List<WriteJournal.Entry> entries = takeFinished();
        if (journal != null || !last) { // else each file has been flushed, or has failed
          for (PlannedTarget target : targets) {
            target.flush();
          }
        }
        if (journal != null && !entries.isEmpty()) {
          journal.append(entries);
        }
      }
    } catch (IOException | RuntimeException | Error e) {
      fail(e);
    } catch (InterruptedException e) {
      fail(new InterruptedIOException("the flushing thread was interrupted"));
    }
  }

  private List<WriteJournal.Entry> takeFinished() {
    synchronized (finished) {
      List<WriteJournal.Entry> taken = new ArrayList<>(finished);
      finished.clear();
      return taken;
    }
  }

  private void publish() throws IOException {
    Set<Path> directories = new LinkedHashSet<>();
    for (PlannedTarget target : targets) {
      directories.add(target.place().toAbsolutePath().resolveSibling(""));
    }
    for (PlannedTarget target : targets) {
      if (Files.exists(target.beside())) {
        target.publish();
      }
    }
    for (Path directory : directories) {
      DurableFiles.flushDirectory(directory);
    }
  }

  private void discard(Throwable cause) {
    for (PlannedTarget target : targets) {
      try {
        target.discard();
      } catch (IOException e) {
        cause.addSuppressed(e);
      }
    }
  }
}
