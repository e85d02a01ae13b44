package io.github.pretrain4j.checkpoint;

import java.io.IOException;
import java.io.PrintStream;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * Damages files of one format and reads them, many times: {@code FuzzCommand FORMAT COUNT [FIRST]}.
 *
 * <p>Every mutant has a number, from which alone it comes, so a failure is seen again with {@code
 * COUNT} 1 and its number as {@code FIRST}. A failure is anything but data or a typed error: other
 * exceptions, a mutant that takes longer than a minute, or one that allocates more than 256 MiB.
 * Run it with a small heap ({@code -Xmx256m}), which bounds what is kept as well.
 */
final class FuzzCommand {
  private static final long SECONDS = 60;
  private static final long MAX_ALLOCATED = 256L << 20;
  private static final int BATCH = 1000;

  /** What a run did. */
  record Result(long refused, long read, long mostAllocated, long slowestNanos) {}

  private final FuzzTarget target;
  private final Path directory;

  FuzzCommand(FuzzTarget target, Path directory) {
    this.target = target;
    this.directory = directory;
  }

  /** The entry point. */
  public static void main(String... arguments) throws Exception {
    FuzzTarget target = FuzzTarget.valueOf(arguments[0].toUpperCase(Locale.ROOT));
    long count = Long.parseLong(arguments[1]);
    long first = arguments.length > 2 ? Long.parseLong(arguments[2]) : 0;
    Path directory = Files.createTempDirectory("fuzz-" + target.name().toLowerCase(Locale.ROOT));
    PrintStream out = System.out;
    Result result = new FuzzCommand(target, directory).run(first, count);
    out.printf(
        Locale.ROOT,
        "%s: %,d mutants: %,d refused, %,d read; at most %,d bytes allocated and %.0f ms for one%n",
        target,
        count,
        result.refused,
        result.read,
        result.mostAllocated,
        result.slowestNanos / 1e6);
  }

  /** Reads mutants {@code first…}; one that hangs leaves its thread behind. */
  Result run(long first, long count) throws Exception {
    FuzzTarget.Case prepared = target.prepare(directory);
    Result total = new Result(0, 0, 0, 0);
    for (long done = 0; done < count; done += BATCH) {
      Batch batch = new Batch(prepared, first + done, Math.min(BATCH, count - done));
      FutureTask<Result> task = new FutureTask<>(batch);
      Thread thread = new Thread(task, "fuzz " + target);
      thread.setDaemon(true);
      thread.start();
      Result result = await(task, batch, thread);
      total =
          new Result(
              total.refused + result.refused,
              total.read + result.read,
              Math.max(total.mostAllocated, result.mostAllocated),
              Math.max(total.slowestNanos, result.slowestNanos));
    }
    return total;
  }

  private Result await(FutureTask<Result> task, Batch batch, Thread thread) throws Exception {
    while (true) {
      long before = batch.current;
      try {
        return task.get(SECONDS, TimeUnit.SECONDS);
      } catch (TimeoutException e) {
        if (batch.current == before) {
          AssertionError hang = new AssertionError(target + " mutant " + before + " hangs", e);
          hang.setStackTrace(thread.getStackTrace());
          throw hang;
        }
      } catch (ExecutionException e) {
        throw new AssertionError(target + " mutant " + batch.current, e.getCause());
      }
    }
  }

  private static final class Batch implements Callable<Result> {
    private final FuzzTarget.Case prepared;
    private final long end;
    private volatile long current;

    Batch(FuzzTarget.Case prepared, long first, long count) {
      this.prepared = prepared;
      this.current = first;
      this.end = first + count;
    }

    @Override
    public Result call() throws IOException {
      long refused = 0;
      long read = 0;
      long mostAllocated = 0;
      long slowest = 0;
      for (long number = current; number < end; number++) {
        current = number;
        long start = System.nanoTime();
        long allocatedBefore = allocated();
        if (prepared.run(new Random(number * 0x9E37_79B9_7F4A_7C15L))) {
          refused++;
        } else {
          read++;
        }
        long allocated = allocated() - allocatedBefore;
        if (allocated > MAX_ALLOCATED) {
          throw new AssertionError("allocates " + allocated + " bytes");
        }
        mostAllocated = Math.max(mostAllocated, allocated);
        slowest = Math.max(slowest, System.nanoTime() - start);
      }
      return new Result(refused, read, mostAllocated, slowest);
    }

    private static long allocated() {
      return ManagementFactory.getThreadMXBean() instanceof com.sun.management.ThreadMXBean threads
          ? threads.getCurrentThreadAllocatedBytes()
          : 0;
    }
  }
}
