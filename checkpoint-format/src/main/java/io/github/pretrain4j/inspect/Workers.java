package io.github.pretrain4j.inspect;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;

/** Applies one operation to many items on a few named threads, which end with the call. */
final class Workers {
  /** The operation; every worker has its own, so it may keep buffers. */
  @FunctionalInterface
  interface Operation<T, R> {
    R apply(T item) throws IOException;
  }

  private Workers() {}

  /** The results in the order of the items. The first failure ends all. */
  static <T, R> List<R> map(List<T> items, int workers, Supplier<Operation<T, R>> operations)
      throws IOException {
    int count = Math.max(1, Math.min(workers, items.size()));
    AtomicInteger started = new AtomicInteger();
    AtomicInteger next = new AtomicInteger();
    ExecutorService threads =
        Executors.newFixedThreadPool(
            count, task -> new Thread(task, "p4j-checkpoint-" + started.incrementAndGet()));
    try {
      List<Future<SortedMap<Integer, R>>> running = new ArrayList<>();
      for (int i = 0; i < count; i++) {
        running.add(threads.submit(() -> work(items, next, operations.get())));
      }
      SortedMap<Integer, R> results = new TreeMap<>();
      for (Future<SortedMap<Integer, R>> worker : running) {
        results.putAll(worker.get());
      }
      return List.copyOf(results.values());
    } catch (ExecutionException e) {
      if (e.getCause() instanceof IOException io) {
        throw io;
      }
      if (e.getCause() instanceof RuntimeException unchecked) {
        throw unchecked;
      }
      throw new IllegalStateException(e.getCause());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw (InterruptedIOException) new InterruptedIOException("interrupted").initCause(e);
    } finally {
      next.set(items.size());
      awaitEnd(threads);
    }
  }

  private static <T, R> SortedMap<Integer, R> work(
      List<T> items, AtomicInteger next, Operation<T, R> operation) throws IOException {
    SortedMap<Integer, R> results = new TreeMap<>();
    try {
      for (int at = next.getAndIncrement(); at < items.size(); at = next.getAndIncrement()) {
        results.put(at, operation.apply(items.get(at)));
      }
      return results;
    } catch (IOException | RuntimeException e) {
      next.set(items.size()); // the others need not go on
      throw e;
    }
  }

  /** The caller closes what the threads read from, so nobody may be reading any more. */
  private static void awaitEnd(ExecutorService threads) {
    threads.shutdown();
    boolean interrupted = false;
    boolean ended = false;
    while (!ended) {
      try {
        ended = threads.awaitTermination(1, TimeUnit.DAYS);
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
