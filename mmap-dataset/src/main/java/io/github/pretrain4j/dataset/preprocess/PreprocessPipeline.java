package io.github.pretrain4j.dataset.preprocess;

import com.google.common.base.Throwables;
import com.google.common.util.concurrent.SettableFuture;
import com.google.common.util.concurrent.Uninterruptibles;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Semaphore;
import org.jspecify.annotations.Nullable;

/**
 * The threads of preprocessing and what they hand each other.
 *
 * <pre>
 *   .---- free blocks &lt;---------------.
 *   v                                  |
 * reader --task--&gt; workers             |     a worker fills in what the block's lines become
 *   |                                  |
 *   '---- ordered tasks --------&gt; caller      takes them in the order of the input
 * </pre>
 *
 * <p>There are a few blocks, used again and again, and the bytes of lines in them are limited; so
 * the reader waits, and memory is bounded, whoever is slow. A failure anywhere becomes a failed
 * task in its place in the order, so that the first bad line of the input is the one reported,
 * whatever the number of workers. {@link #close} stops and joins all threads.
 */
final class PreprocessPipeline implements AutoCloseable {
  private static final int BLOCK_BYTES = 1 << 18;
  private static final int MIN_BYTES_UNDER_WAY = 1 << 22;
  private static final int MAX_BYTES_UNDER_WAY = 1 << 28;
  private static final int MAX_LINE_BYTES = 1 << 30;

  // Text becomes bytes, chars and ids: about ten times its size. See also LineBlockReader.
  private static final int HEAP_PER_BYTE_UNDER_WAY = 32;
  private static final int HEAP_PER_LINE_BYTE = 16;

  private final InputList inputs;
  private final InputPosition from;
  private final @Nullable String prefixSha256;
  private final int maxBytesUnderWay;
  private final Semaphore bytesUnderWay;
  private final BlockingQueue<EncodedBlock> free;
  private final BlockingQueue<Task> ordered;
  private final BlockingQueue<Task> unordered;
  private final List<Thread> threads = new ArrayList<>();
  private volatile boolean stopped;
  private @Nullable EncodedBlock current;
  private boolean ended;
  private long lines; // of this input

  private PreprocessPipeline(
      InputList inputs,
      EncodeOptions options,
      TokenEncoder.Factory encoders,
      int workers,
      InputPosition from,
      @Nullable String prefixSha256) {
    this.prefixSha256 = prefixSha256;
    this.inputs = inputs;
    this.from = from;
    long heap = Runtime.getRuntime().maxMemory();
    maxBytesUnderWay =
        (int)
            Math.max(
                MIN_BYTES_UNDER_WAY, Math.min(MAX_BYTES_UNDER_WAY, heap / HEAP_PER_BYTE_UNDER_WAY));
    bytesUnderWay = new Semaphore(maxBytesUnderWay);
    int blocks = 2 * workers + 2;
    free = new ArrayBlockingQueue<>(blocks);
    for (int i = 0; i < blocks; i++) {
      free.add(new EncodedBlock(options.keys().size(), options.type()));
    }
    ordered = new ArrayBlockingQueue<>(blocks + 1);
    unordered = new ArrayBlockingQueue<>(blocks);
    int maxLineBytes = (int) Math.min(MAX_LINE_BYTES, heap / HEAP_PER_LINE_BYTE);
    threads.add(new Thread(() -> read(maxLineBytes), "p4j-preprocess-reader"));
    for (int i = 0; i < workers; i++) {
      LineEncoder encoder = new LineEncoder(options, encoders.create());
      threads.add(new Thread(() -> work(encoder), "p4j-preprocess-worker-" + i));
    }
  }

  /** Starts where nothing is known of what comes before. */
  static PreprocessPipeline start(
      InputList inputs,
      EncodeOptions options,
      TokenEncoder.Factory encoders,
      int workers,
      InputPosition from) {
    return start(inputs, options, encoders, workers, from, null);
  }

  /**
   * Starts reading and encoding.
   *
   * @param workers threads that parse and encode
   * @param from where to start; what comes before it in the same input is read for the digest only
   * @param prefixSha256 what that must hash to, or {@link #next} is an {@link
   *     UnresumableException}; null to take what is there
   */
  static PreprocessPipeline start(
      InputList inputs,
      EncodeOptions options,
      TokenEncoder.Factory encoders,
      int workers,
      InputPosition from,
      @Nullable String prefixSha256) {
    PreprocessPipeline pipeline =
        new PreprocessPipeline(inputs, options, encoders, workers, from, prefixSha256);
    for (Thread thread : pipeline.threads) {
      thread.setDaemon(true);
      thread.start();
    }
    return pipeline;
  }

  /** A block and when it is done; no block is the end. */
  private static final class Task {
    final @Nullable EncodedBlock block;
    final SettableFuture<Boolean> done = SettableFuture.create();

    Task(@Nullable EncodedBlock block) {
      this.block = block;
    }
  }

  // ---- the reader's thread

  private void read(int maxLineBytes) {
    try (LineBlockReader reader =
        new LineBlockReader(inputs, BLOCK_BYTES, maxLineBytes, from, prefixSha256)) {
      while (true) {
        EncodedBlock block = free.take();
        if (!reader.next(block.lines)) {
          break;
        }
        bytesUnderWay.acquire(permits(block.lines));
        Task task = new Task(block);
        ordered.put(task);
        unordered.put(task);
      }
      Task end = new Task(null);
      end.done.set(true);
      ordered.put(end);
    } catch (IOException | EncodedBlock.BlockFailure | RuntimeException | Error e) {
      fail(e);
    } catch (InterruptedException e) {
      // close() interrupts; nobody is waiting for this thread but close() itself.
      Thread.currentThread().interrupt();
    }
  }

  private void fail(Throwable failure) {
    Task task = new Task(null);
    task.done.setException(failure);
    try {
      ordered.put(task);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt(); // as in read
    }
  }

  private int permits(LineBlock block) {
    return Math.min(block.length, maxBytesUnderWay);
  }

  // ---- the workers' threads

  private void work(LineEncoder encoder) {
    try {
      while (!stopped) {
        Task task = unordered.take();
        try {
          encoder.encode(Objects.requireNonNull(task.block));
          task.done.set(true);
        } catch (EncodedBlock.BlockFailure | RuntimeException | Error e) {
          task.done.setException(e);
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt(); // as in read
    }
  }

  // ---- the caller's thread

  /**
   * The next block in the order of the input, or null after the last one; valid until the next
   * call.
   *
   * @throws MalformedLineException for the first bad line, if that is to end everything, and for
   *     one that is too long in any case
   */
  @Nullable EncodedBlock next() throws IOException {
    if (ended) {
      throw new IllegalStateException("the pipeline has ended");
    }
    giveBack();
    try {
      Task task = ordered.take();
      ended = true; // unless it goes on
      task.done.get();
      EncodedBlock block = task.block;
      if (block != null) {
        ended = false;
        lines = block.lines.linesBefore >= 0 ? block.lines.linesBefore : lines;
        block.setLinesBefore(lines);
        lines += block.lineCount();
        current = block;
      }
      return block;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new InterruptedIOException("preprocessing was interrupted");
    } catch (ExecutionException e) {
      throw failure(Objects.requireNonNull(e.getCause()));
    }
  }

  private void giveBack() {
    EncodedBlock block = current;
    current = null;
    if (block != null) {
      bytesUnderWay.release(permits(block.lines));
      block.clear();
      free.add(block);
    }
  }

  private IOException failure(Throwable cause) throws IOException {
    if (cause instanceof EncodedBlock.BlockFailure bad) {
      LineBlock block = bad.lines;
      return new MalformedLineException(
          block.file,
          (block.linesBefore >= 0 ? block.linesBefore : lines) + bad.line + 1,
          block.byteOffset + bad.badLine.at,
          bad.badLine.expected,
          bad.badLine.found,
          bad.badLine.getCause());
    }
    Throwables.throwIfInstanceOf(cause, IOException.class);
    Throwables.throwIfUnchecked(cause);
    throw new IllegalStateException("no such failure is foreseen", cause);
  }

  /** Stops the threads and waits for their end. Idempotent. */
  @Override
  public void close() {
    stopped = true;
    threads.forEach(Thread::interrupt);
    threads.forEach(Uninterruptibles::joinUninterruptibly);
  }
}
