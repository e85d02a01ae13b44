package io.github.pretrain4j.serve;

import io.github.pretrain4j.generate.Generator;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import org.jspecify.annotations.Nullable;

/**
 * The one thread that owns the model: it loads it, runs jobs in the order they came, and closes it.
 * The queue before it is bounded; a job that does not fit is refused at once.
 */
final class GenerationQueue {

  private final ModelServer.Loader loader;
  private final BlockingQueue<GenerationJob> jobs;
  private final Thread worker = Thread.ofPlatform().name("p4j-model").unstarted(this::work);
  private final CountDownLatch loaded = new CountDownLatch(1);

  private volatile @Nullable Generator generator;
  private volatile @Nullable Throwable failure;
  private volatile @Nullable GenerationJob running;
  private volatile boolean stopping;

  GenerationQueue(ModelServer.Loader loader, int capacity) {
    this.loader = loader;
    this.jobs = new ArrayBlockingQueue<>(capacity);
  }

  void start() {
    worker.start();
  }

  /** The model, for its tokenizer and sizes; to be generated with on the model's thread only. */
  Generator ready() throws ApiException {
    Generator current = generator;
    if (stopping) {
      throw new ApiException(503, "stopping", null, "the server is stopping");
    }
    if (current == null) {
      throw new ApiException(503, "loading", null, "the model is loading");
    }
    return current;
  }

  /** The model's context length; null while there is no model. */
  @Nullable Integer contextLength() {
    Generator current = generator;
    return current == null ? null : current.contextLength();
  }

  void submit(GenerationJob job) throws ApiException {
    ready();
    if (!jobs.offer(job)) {
      throw new ApiException(503, "overloaded", null, "too many requests are waiting; try again");
    }
    if (stopping && jobs.remove(job)) { // stopped between the check and the offer
      job.refuse();
    }
  }

  /** Waits for the model; throws what loading it threw. */
  void awaitReady() throws IOException, InterruptedException {
    loaded.await();
    switch (failure) {
      case null -> {}
      case IOException e -> throw e;
      case RuntimeException e -> throw e;
      case Error e -> throw e;
      default -> throw new IllegalStateException(failure);
    }
  }

  private void work() {
    try (Generator model = loader.load()) {
      generator = model;
      loaded.countDown();
      while (true) {
        GenerationJob job = jobs.take();
        running = job;
        job.run(model);
        running = null;
      }
    } catch (InterruptedException e) {
      stopping = true; // told to stop; nothing runs on this thread afterwards
    } catch (IOException | RuntimeException | Error e) { // handed to awaitReady
      failure = e;
    } finally {
      generator = null;
      loaded.countDown();
      drain();
    }
  }

  /** No new jobs from here on. */
  void beginStop() {
    stopping = true;
  }

  /**
   * Ends the running job at its next token, refuses the waiting ones and closes the model. Returns
   * whether all of that is done; false if the thread did not end within {@code patience}.
   */
  boolean stop(Duration patience) throws InterruptedException {
    stopping = true;
    drain();
    GenerationJob current = running;
    if (current != null) {
      current.cancel();
    }
    worker.interrupt();
    return worker.join(patience);
  }

  private void drain() {
    for (GenerationJob job = jobs.poll(); job != null; job = jobs.poll()) {
      job.refuse();
    }
  }
}
