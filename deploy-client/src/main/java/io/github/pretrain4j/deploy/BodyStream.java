package io.github.pretrain4j.deploy;

import java.io.IOException;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Flow;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * A response body read by the calling thread, chunk by chunk, each within a time limit.
 *
 * <p>{@link java.net.http.HttpRequest#timeout} ends when the headers are there; a server that then
 * falls silent would hang a plain stream for ever. Here at most one chunk is on its way at a time,
 * so memory stays bounded too. {@link #close} cancels the rest.
 */
final class BodyStream implements HttpResponse.BodySubscriber<BodyStream>, AutoCloseable {
  /** What the network thread hands over: one chunk, a failure, or neither at the end. */
  private record Event(@Nullable List<ByteBuffer> chunk, @Nullable Throwable failure) {}

  private static final Event END = new Event(null, null);

  private final BlockingQueue<Event> events = new LinkedBlockingQueue<>();
  private final CompletableFuture<Flow.Subscription> subscription = new CompletableFuture<>();
  private boolean ended; // reader's side only

  @Override
  public CompletionStage<BodyStream> getBody() {
    return CompletableFuture.completedFuture(this);
  }

  @Override
  public void onSubscribe(Flow.Subscription incoming) {
    if (!subscription.complete(incoming)) {
      incoming.cancel();
      return;
    }
    incoming.request(1);
  }

  @Override
  public void onNext(List<ByteBuffer> chunk) {
    events.add(new Event(chunk, null));
  }

  @Override
  public void onError(Throwable failure) {
    events.add(new Event(null, failure));
  }

  @Override
  public void onComplete() {
    events.add(END);
  }

  /** The next bytes, or null at the end. */
  byte @Nullable [] next(String what, Duration limit) throws IOException, InterruptedException {
    if (ended) {
      return null;
    }
    Event event = events.poll(limit.toNanos(), TimeUnit.NANOSECONDS);
    if (event == null) {
      throw new DeployTimeoutException(what, limit, " (the body stopped coming)");
    }
    Throwable failure = event.failure();
    if (failure != null) {
      ended = true;
      throw new DeployException(what + ": the body broke off: " + failure.getMessage(), failure);
    }
    List<ByteBuffer> chunk = event.chunk();
    if (chunk == null) {
      ended = true;
      return null;
    }
    byte[] bytes = new byte[chunk.stream().mapToInt(ByteBuffer::remaining).sum()];
    int at = 0;
    for (ByteBuffer part : chunk) {
      int count = part.remaining();
      part.get(bytes, at, count);
      at += count;
    }
    subscription.join().request(1);
    return bytes;
  }

  @Override
  public void close() {
    Flow.Subscription active = subscription.getNow(null);
    if (active != null) {
      active.cancel();
    }
  }
}
