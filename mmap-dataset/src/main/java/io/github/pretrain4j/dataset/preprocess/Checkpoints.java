package io.github.pretrain4j.dataset.preprocess;

import com.google.common.base.Throwables;
import com.google.common.util.concurrent.Uninterruptibles;
import java.io.Closeable;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.jspecify.annotations.Nullable;

/**
 * Writes progress into the journal about once a second. The caller's thread only takes the
 * snapshot; a thread of this object forces the files to disk and then appends the record. While it
 * does, the caller goes on writing. Not thread-safe.
 */
final class Checkpoints implements Closeable {
  /** What the journal is to say. */
  @FunctionalInterface
  interface Snapshot {
    /** Takes it, after handing everything to the operating system. */
    JournalRecord.Progress take() throws IOException;
  }

  private final Journal journal;
  private final ResumableFiles files;
  private final long intervalNanos;
  private final ExecutorService thread =
      Executors.newSingleThreadExecutor(
          task -> {
            Thread made = new Thread(task, "p4j-preprocess-journal");
            made.setDaemon(true);
            return made;
          });
  private @Nullable Future<?> underWay;
  private long lastNanos = System.nanoTime();

  Checkpoints(Journal journal, ResumableFiles files, long intervalNanos) {
    this.journal = journal;
    this.files = files;
    this.intervalNanos = intervalNanos;
  }

  /** Starts writing a record if it is time and the one before is on disk. */
  void tick(Snapshot snapshot) throws IOException {
    long now = System.nanoTime();
    Future<?> before = underWay;
    if (now - lastNanos < intervalNanos || (before != null && !before.isDone())) {
      return;
    }
    await();
    start(snapshot.take());
  }

  /** Writes a record and waits until it is on disk. */
  void write(Snapshot snapshot) throws IOException {
    await();
    start(snapshot.take());
    await();
  }

  private void start(JournalRecord.Progress progress) {
    lastNanos = System.nanoTime();
    underWay =
        thread.submit(
            () -> {
              files.force();
              journal.append(progress);
              return null;
            });
  }

  /** Waits until no record is being written. */
  void await() throws IOException {
    Future<?> before = underWay;
    underWay = null;
    if (before == null) {
      return;
    }
    try {
      before.get();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new InterruptedIOException("preprocessing was interrupted");
    } catch (ExecutionException e) {
      Throwable cause = e.getCause() == null ? e : e.getCause();
      Throwables.throwIfInstanceOf(cause, IOException.class);
      Throwables.throwIfUnchecked(cause);
      throw new IllegalStateException("no such failure is foreseen", cause);
    }
  }

  /** Ends the thread, when it has written what it is writing. Idempotent. */
  @Override
  public void close() {
    thread.shutdown();
    Uninterruptibles.awaitTerminationUninterruptibly(thread);
  }
}
