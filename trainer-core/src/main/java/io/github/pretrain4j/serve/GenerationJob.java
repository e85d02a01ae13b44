package io.github.pretrain4j.serve;

import io.github.pretrain4j.generate.DamagedWeightsException;
import io.github.pretrain4j.generate.FinishReason;
import io.github.pretrain4j.generate.Generation;
import io.github.pretrain4j.generate.Generator;
import io.github.pretrain4j.generate.SamplingConfig;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;

/**
 * One request on its way through the queue. The model's thread puts events in, the connection's
 * thread takes them out; a slow client therefore never holds up the model. There are at most a few
 * events per token, so the queue of events is bounded by what was asked for.
 */
final class GenerationJob {

  /**
   * What happened, in order. Ends with exactly one {@link Done} for the last prompt or one {@link
   * Failed}.
   */
  sealed interface Event {
    record Piece(int prompt, String text) implements Event {}

    record Done(int prompt, Generation generation) implements Event {}

    record Failed(Throwable cause) implements Event {}
  }

  private final List<int[]> prompts;
  private final List<SamplingConfig> sampling;
  private final BlockingQueue<Event> events = new LinkedBlockingQueue<>();
  private volatile boolean cancelled;

  /** One sampling configuration per prompt. */
  GenerationJob(List<int[]> prompts, List<SamplingConfig> sampling) {
    this.prompts = List.copyOf(prompts);
    this.sampling = List.copyOf(sampling);
  }

  int promptCount() {
    return prompts.size();
  }

  int promptTokens() {
    return prompts.stream().mapToInt(prompt -> prompt.length).sum();
  }

  /** Runs on the model's thread; never throws, whatever goes wrong is an event. */
  void run(Generator generator) {
    try {
      for (int i = 0; i < prompts.size(); i++) {
        int prompt = i;
        Generation generation =
            generator.generate(
                prompts.get(i),
                sampling.get(i),
                text -> {
                  if (!text.isEmpty()) {
                    events.add(new Event.Piece(prompt, text));
                  }
                  return !cancelled;
                });
        if (cancelled || generation.finishReason() == FinishReason.CANCELLED) {
          events.add(new Event.Failed(stopped()));
          return;
        }
        events.add(new Event.Done(i, generation));
      }
    } catch (DamagedWeightsException
        | RuntimeException
        | Error e) { // the client gets a 500 and the model's thread lives on
      events.add(new Event.Failed(e));
    }
  }

  /** Ends a job that will not run. */
  void refuse() {
    events.add(new Event.Failed(stopped()));
  }

  private static ApiException stopped() {
    return new ApiException(503, "stopping", null, "the server is stopping");
  }

  /** The client is gone, or the server stops: the model's thread gives up at the next token. */
  void cancel() {
    cancelled = true;
  }

  boolean isCancelled() {
    return cancelled;
  }

  Event take() throws InterruptedException {
    return events.take();
  }
}
