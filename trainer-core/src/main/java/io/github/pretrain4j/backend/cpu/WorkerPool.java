package io.github.pretrain4j.backend.cpu;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * The threads of a device: the caller's and {@code threads - 1} of its own. Runs the blocks of one
 * kernel at a time, each on whichever thread is free, and returns when all are done.
 *
 * <p>Idle threads look for work for some microseconds and then park. Used by one caller at a time.
 */
final class WorkerPool implements AutoCloseable {
  /** Looks at the job this often before parking: about the pause between two kernels. */
  private static final int SPINS = 2_000;

  /** A part of a kernel. */
  @FunctionalInterface
  interface Block {
    /**
     * Computes one block.
     *
     * @param participant index of the thread, 0 for the caller's
     */
    void run(int participant, int block);
  }

  /**
   * One kernel: its blocks are handed out by {@code next}, finished ones counted in {@code done}.
   */
  private static final class Job {
    final Block body;
    final int blocks;
    final AtomicInteger next = new AtomicInteger();
    final AtomicInteger done = new AtomicInteger();
    final Thread caller = Thread.currentThread();
    volatile @Nullable Throwable failure;

    Job(Block body, int blocks) {
      this.body = body;
      this.blocks = blocks;
    }

    void work(int participant) {
      for (int block = next.getAndIncrement(); block < blocks; block = next.getAndIncrement()) {
        try {
          if (failure == null) {
            body.run(participant, block);
          }
        } catch (RuntimeException | Error e) {
          failure = e; // the caller throws it
        }
        if (done.incrementAndGet() == blocks) {
          LockSupport.unpark(caller);
        }
      }
    }

    boolean finished() {
      return done.get() == blocks;
    }
  }

  private final List<Thread> workers = new ArrayList<>();
  private volatile @Nullable Job current;
  private volatile boolean closed;

  WorkerPool(int threads) {
    for (int i = 1; i < threads; i++) {
      int participant = i;
      workers.add(
          Thread.ofPlatform().name("p4j-cpu-" + i).daemon().start(() -> serve(participant)));
    }
  }

  /** Threads that compute, the caller's included. */
  int threads() {
    return workers.size() + 1;
  }

  /** Runs all blocks; throws what a block threw. A single block runs in the caller's thread. */
  void run(int blocks, Block body) {
    if (closed) {
      throw new IllegalStateException("device is closed");
    }
    if (blocks == 1 || workers.isEmpty()) {
      for (int block = 0; block < blocks; block++) {
        body.run(0, block);
      }
      return;
    }
    Job job = new Job(body, blocks);
    current = job;
    workers.forEach(LockSupport::unpark);
    job.work(0);
    for (int spin = 0; !job.finished(); spin++) {
      if (spin < SPINS) {
        Thread.onSpinWait();
      } else {
        LockSupport.park(this);
      }
    }
    current = null;
    rethrow(job.failure);
  }

  private static void rethrow(@Nullable Throwable failure) {
    if (failure instanceof RuntimeException exception) {
      throw exception;
    }
    if (failure instanceof Error error) {
      throw error;
    }
  }

  private void serve(int participant) {
    Job last = null;
    int spins = 0;
    while (!closed) {
      Job job = current;
      if (job != null && job != last) {
        job.work(participant);
        last = job;
        spins = 0;
      } else if (spins < SPINS) {
        spins++;
        Thread.onSpinWait();
      } else {
        LockSupport.park(this);
        spins = 0;
      }
    }
  }

  /** Ends the threads and waits for them; idempotent. */
  @Override
  public void close() {
    closed = true;
    workers.forEach(LockSupport::unpark);
    boolean interrupted = false;
    for (Thread worker : workers) {
      while (worker.isAlive()) {
        try {
          worker.join();
        } catch (InterruptedException e) {
          interrupted = true; // a worker ends on its own; then tell the caller
        }
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
