package io.github.pretrain4j.dataset.preprocess;

import com.google.common.base.Throwables;
import com.google.common.util.concurrent.Uninterruptibles;
import io.github.pretrain4j.dataset.IndexedDatasetWriter;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.Semaphore;
import org.jspecify.annotations.Nullable;

/**
 * The threads of preprocessing and what they hand each other.
 *
 * <pre>
 * reader --task--> workers        each task turns a LineBlock into an EncodedBlock
 *   |                 |
 *   '---- ordered ----'--> caller  takes the tasks in the order of the input and waits for each
 * </pre>
 *
 * <p>The reader waits when the blocks under way, from reading to writing, have too many bytes or
 * are too many; so memory is bounded whoever is slow. A failure anywhere becomes a failed task in
 * its place in the order, so that the first bad line of the input is the one reported, whatever the
 * number of workers. {@link #close} stops and joins all threads.
 */
final class PreprocessPipeline implements AutoCloseable {
  private static final int BLOCK_BYTES = 1 << 18;
  private static final int MIN_BYTES_UNDER_WAY = 1 << 22;
  private static final int MAX_BYTES_UNDER_WAY = 1 << 28;
  private static final int MAX_LINE_BYTES = 1 << 30;

  // Text becomes bytes, chars and ids: about ten times its size. See also LineBlockReader.
  private static final int HEAP_PER_BYTE_UNDER_WAY = 32;
  private static final int HEAP_PER_LINE_BYTE = 16;

  private final Preprocessor.Config config;
  private final TokenEncoder encoder;
  private final BlockingQueue<FutureTask<@Nullable EncodedBlock>> ordered;
  private final int maxBytesUnderWay;
  private final Semaphore bytesUnderWay;
  private final BlockingQueue<FutureTask<@Nullable EncodedBlock>> unordered;
  private final List<Thread> threads = new ArrayList<>();
  private volatile boolean stopped;
  private long documents;
  private long bytes;

  private PreprocessPipeline(Preprocessor.Config config, TokenEncoder encoder) {
    this.config = config;
    this.encoder = encoder;
    long heap = Runtime.getRuntime().maxMemory();
    maxBytesUnderWay =
        (int)
            Math.max(
                MIN_BYTES_UNDER_WAY, Math.min(MAX_BYTES_UNDER_WAY, heap / HEAP_PER_BYTE_UNDER_WAY));
    bytesUnderWay = new Semaphore(maxBytesUnderWay);
    int blocks = 4 * config.workers() + 4;
    ordered = new ArrayBlockingQueue<>(blocks);
    unordered = new ArrayBlockingQueue<>(blocks);
    int maxLineBytes = (int) Math.min(MAX_LINE_BYTES, heap / HEAP_PER_LINE_BYTE);
    threads.add(new Thread(() -> read(maxLineBytes), "p4j-preprocess-reader"));
    for (int i = 0; i < config.workers(); i++) {
      threads.add(new Thread(this::work, "p4j-preprocess-worker-" + i));
    }
  }

  /** Starts reading and encoding. */
  static PreprocessPipeline start(Preprocessor.Config config, TokenEncoder encoder) {
    PreprocessPipeline pipeline = new PreprocessPipeline(config, encoder);
    for (Thread thread : pipeline.threads) {
      thread.setDaemon(true);
      thread.start();
    }
    return pipeline;
  }

  /** Lines written so far. */
  long documents() {
    return documents;
  }

  /** Bytes of input written so far. */
  long bytes() {
    return bytes;
  }

  // ---- the reader's thread

  private void read(int maxLineBytes) {
    List<Path> inputs = config.inputs().stream().map(Path::of).toList();
    try (LineBlockReader blocks = new LineBlockReader(inputs, BLOCK_BYTES, maxLineBytes)) {
      while (true) {
        LineBlock block = blocks.next();
        if (block == null) {
          break;
        }
        bytesUnderWay.acquire(permits(block));
        FutureTask<@Nullable EncodedBlock> task =
            new FutureTask<>(() -> EncodedBlock.encode(block, config, encoder));
        ordered.put(task);
        unordered.put(task);
      }
      end(() -> null);
    } catch (EncodedBlock.BlockFailure e) {
      end(
          () -> {
            throw e;
          });
    } catch (IOException | RuntimeException | Error e) {
      end(
          () -> {
            throw new ReadFailure(e);
          });
    } catch (InterruptedException e) {
      // close() interrupts; nobody is waiting for this thread but close() itself.
      Thread.currentThread().interrupt();
    }
  }

  private static final class ReadFailure extends Exception {
    private static final long serialVersionUID = 1L;

    ReadFailure(Throwable cause) {
      super(cause);
    }
  }

  private void end(Callable<@Nullable EncodedBlock> result) {
    FutureTask<@Nullable EncodedBlock> task = new FutureTask<>(result);
    task.run();
    try {
      ordered.put(task);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt(); // as in read
    }
  }

  private int permits(LineBlock block) {
    return Math.min(block.length(), maxBytesUnderWay);
  }

  // ---- the workers' threads

  private void work() {
    try {
      while (!stopped) {
        unordered.take().run();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt(); // as in read
    }
  }

  // ---- the caller's thread

  /** Writes everything, in order, one writer for each key. */
  void writeTo(
      List<IndexedDatasetWriter> writers, Preprocessor.ProgressListener listener, long totalBytes)
      throws IOException {
    long lines = 0; // of this file
    while (true) {
      EncodedBlock block = take(lines);
      if (block == null) {
        return;
      }
      for (int key = 0; key < writers.size(); key++) {
        block.writeTo(key, writers.get(key));
      }
      lines = (block.lines.startsFile() ? 0 : lines) + block.documentCount();
      documents += block.documentCount();
      bytes += block.lines.length();
      bytesUnderWay.release(permits(block.lines));
      listener.progress(documents, bytes, totalBytes);
    }
  }

  private @Nullable EncodedBlock take(long linesBefore) throws IOException {
    try {
      return ordered.take().get();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new InterruptedIOException("preprocessing was interrupted");
    } catch (ExecutionException e) {
      Throwable cause = Objects.requireNonNull(e.getCause());
      if (cause instanceof EncodedBlock.BlockFailure bad) {
        LineBlock block = bad.lines;
        throw new MalformedLineException(
            block.file(),
            (block.startsFile() ? 0 : linesBefore) + bad.line + 1,
            block.byteOffset() + bad.badLine.at,
            bad.badLine.expected,
            bad.badLine.found,
            bad.badLine.getCause());
      }
      Throwable failure =
          cause instanceof ReadFailure ? Objects.requireNonNull(cause.getCause()) : cause;
      Throwables.throwIfInstanceOf(failure, IOException.class);
      Throwables.throwIfUnchecked(failure);
      throw new IllegalStateException("no such failure is foreseen", failure);
    }
  }

  /** Stops the threads and waits for their end. Idempotent. */
  @Override
  public void close() {
    stopped = true;
    threads.forEach(Thread::interrupt);
    threads.forEach(Uninterruptibles::joinUninterruptibly);
  }
}
