package io.github.pretrain4j.serve;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.sun.net.httpserver.Headers;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpHandler;
import io.github.pretrain4j.generate.Generation;
import io.github.pretrain4j.generate.Generator;
import io.github.pretrain4j.generate.SamplingConfig;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * Answers every request: path and method, body, job, response. Thread-safe; one virtual thread per
 * request.
 */
final class Routes implements HttpHandler {

  private static final System.Logger LOG = System.getLogger(Routes.class.getName());

  /**
   * How much of a body that is too large is still read, so that the client can read its refusal.
   */
  private static final long MOST_DISCARDED = 64L << 20;

  private final ServeConfig config;
  private final ChatFormat chat;
  private final GenerationQueue queue;
  private final long startedSeconds = Instant.now().getEpochSecond();
  private final AtomicLong requests = new AtomicLong();

  Routes(ServeConfig config, ChatFormat chat, GenerationQueue queue) {
    this.config = config;
    this.chat = chat;
    this.queue = queue;
  }

  @Override
  public void handle(HttpExchange exchange) throws IOException {
    try (exchange) {
      try {
        route(exchange);
      } catch (ApiException e) {
        refuse(exchange, e);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        refuse(exchange, new ApiException(503, "stopping", null, "the server is stopping"));
      } catch (RuntimeException
          | Error e) { // the last frame of a request: a bug must not end the server
        LOG.log(
            System.Logger.Level.ERROR, "request failed: " + exchange.getRequestURI().getPath(), e);
        refuse(exchange, new ApiException(500, "internal_error", null, "internal error: " + e));
      }
    }
  }

  private void route(HttpExchange exchange) throws ApiException, IOException, InterruptedException {
    String path = exchange.getRequestURI().getPath();
    switch (path) {
      case "/health" -> {
        require("GET", exchange);
        queue.ready();
        send(exchange, 200, JsonNodeFactory.instance.objectNode().put("status", "ok"));
      }
      case "/v1/models" -> {
        require("GET", exchange);
        ObjectNode list = JsonNodeFactory.instance.objectNode().put("object", "list");
        list.putArray("data").add(model());
        send(exchange, 200, list);
      }
      case "/v1/completions" -> {
        require("POST", exchange);
        GenerationRequest request = GenerationRequest.completion(body(exchange), config.modelId());
        answer(exchange, request, Responses.Kind.COMPLETION);
      }
      case "/v1/chat/completions" -> {
        require("POST", exchange);
        GenerationRequest request =
            GenerationRequest.chat(body(exchange), config.modelId(), chat.template());
        answer(exchange, request, Responses.Kind.CHAT);
      }
      default -> {
        if (!path.equals("/v1/models/" + config.modelId())) {
          throw new ApiException(404, "not_found", null, "nothing at " + path);
        }
        require("GET", exchange);
        send(exchange, 200, model());
      }
    }
  }

  private ObjectNode model() {
    return Responses.model(config.modelId(), startedSeconds, chat, queue.contextLength());
  }

  private static void require(String method, HttpExchange exchange) throws ApiException {
    if (!exchange.getRequestMethod().equals(method)) {
      exchange.getResponseHeaders().set("Allow", method);
      throw new ApiException(
          405,
          "method_not_allowed",
          null,
          "%s takes %s, not %s"
              .formatted(exchange.getRequestURI().getPath(), method, exchange.getRequestMethod()));
    }
  }

  /**
   * The whole body, capped. JSON by its declared type: a web page of another site cannot send that
   * unasked.
   */
  private byte[] body(HttpExchange exchange) throws ApiException, IOException {
    String type = exchange.getRequestHeaders().getFirst("Content-Type");
    if (type == null || !type.toLowerCase(Locale.ROOT).startsWith("application/json")) {
      throw new ApiException(
          400,
          "invalid_content_type",
          null,
          "Content-Type: expected application/json, found " + type);
    }
    try (InputStream in = exchange.getRequestBody()) {
      byte[] body = in.readNBytes(config.maxBodyBytes() + 1);
      if (body.length <= config.maxBodyBytes()) {
        return body;
      }
      for (long discarded = 0; discarded < MOST_DISCARDED; ) {
        int count = in.readNBytes(64 << 10).length;
        if (count == 0) {
          break;
        }
        discarded += count;
      }
      throw new ApiException(
          413,
          "body_too_large",
          null,
          "the body is larger than " + config.maxBodyBytes() + " bytes");
    }
  }

  private void answer(HttpExchange exchange, GenerationRequest request, Responses.Kind kind)
      throws ApiException, IOException, InterruptedException {
    Generator generator = queue.ready();
    List<int[]> prompts = prompts(request, generator);
    GenerationJob job = new GenerationJob(prompts, sampling(request, prompts, generator));
    queue.submit(job);
    Responses responses =
        new Responses(
            kind,
            "%x-%x".formatted(startedSeconds, requests.incrementAndGet()),
            config.modelId(),
            Instant.now().getEpochSecond());
    List<String> echoes = new ArrayList<>();
    for (int[] prompt : prompts) {
      echoes.add(request.echo() ? generator.tokenizer().decode(prompt) : "");
    }
    try {
      if (request.stream()) {
        stream(exchange, request, job, responses, echoes);
      } else {
        whole(exchange, job, responses, echoes);
      }
    } finally {
      job.cancel(); // has no effect on one that is done; ends one whose client is gone
    }
  }

  private static List<int[]> prompts(GenerationRequest request, Generator generator)
      throws ApiException {
    List<int[]> prompts = new ArrayList<>();
    for (GenerationRequest.Prompt prompt : request.prompts()) {
      int[] ids =
          switch (prompt) {
            case GenerationRequest.Prompt.Text text -> generator.encodePrompt(text.text());
            case GenerationRequest.Prompt.Tokens tokens ->
                tokens.ids().stream().mapToInt(Integer::intValue).toArray();
          };
      try {
        generator.checkPrompt(ids);
      } catch (IllegalArgumentException e) {
        String code =
            ids.length >= generator.contextLength() ? "context_length_exceeded" : "invalid_value";
        throw new ApiException(400, code, "prompt", String.valueOf(e.getMessage()));
      }
      prompts.add(ids);
    }
    return prompts;
  }

  private List<SamplingConfig> sampling(
      GenerationRequest request, List<int[]> prompts, Generator generator) {
    long seed = request.seed() == null ? config.seed() + requests.get() : request.seed();
    List<SamplingConfig> sampling = new ArrayList<>();
    for (int i = 0; i < prompts.size(); i++) {
      int maxTokens = request.maxTokens() < 0 ? generator.contextLength() : request.maxTokens();
      sampling.add(
          new SamplingConfig(
              request.temperature(),
              request.topK(),
              request.topP(),
              seed + i,
              maxTokens,
              request.stop()));
    }
    return sampling;
  }

  private static void whole(
      HttpExchange exchange, GenerationJob job, Responses responses, List<String> echoes)
      throws ApiException, IOException, InterruptedException {
    List<Generation> generations = new ArrayList<>();
    List<String> texts = new ArrayList<>();
    while (generations.size() < job.promptCount()) {
      switch (job.take()) {
        case GenerationJob.Event.Piece piece -> {} // Done has them all
        case GenerationJob.Event.Done done -> {
          texts.add(echoes.get(done.prompt()) + done.generation().text());
          generations.add(done.generation());
        }
        case GenerationJob.Event.Failed failed -> throw failure(failed.cause());
      }
    }
    send(exchange, 200, responses.whole(texts, generations, job.promptTokens()));
  }

  /**
   * Server-sent events. The first event of the job decides the status: what fails before it is a
   * plain refusal.
   */
  private static void stream(
      HttpExchange exchange,
      GenerationRequest request,
      GenerationJob job,
      Responses responses,
      List<String> echoes)
      throws ApiException, IOException, InterruptedException {
    List<Generation> generations = new ArrayList<>();
    @Nullable EventStream events = null;
    int begun = 0; // choices whose first chunk is out
    while (generations.size() < job.promptCount()) {
      GenerationJob.Event event = job.take();
      if (event instanceof GenerationJob.Event.Failed failed) {
        ApiException e = failure(failed.cause());
        if (events == null) {
          throw e;
        }
        events.send(Responses.error(e));
        return;
      }
      events = events == null ? EventStream.open(exchange) : events;
      switch (event) {
        case GenerationJob.Event.Piece piece -> {
          boolean first = begun == piece.prompt();
          String text = (first ? echoes.get(piece.prompt()) : "") + piece.text();
          events.send(responses.chunk(piece.prompt(), text, first, null));
          begun = piece.prompt() + 1;
        }
        case GenerationJob.Event.Done done -> {
          boolean first = begun == done.prompt();
          String text = first ? echoes.get(done.prompt()) : "";
          events.send(
              responses.chunk(done.prompt(), text, first, done.generation().finishReason()));
          begun = done.prompt() + 1;
          generations.add(done.generation());
        }
        case GenerationJob.Event.Failed failed -> throw failure(failed.cause()); // handled above
      }
    }
    if (events != null) {
      if (request.streamUsage()) {
        events.send(responses.usageChunk(generations, job.promptTokens()));
      }
      events.done();
    }
  }

  private static ApiException failure(Throwable cause) {
    if (cause instanceof ApiException e) {
      return e;
    }
    LOG.log(System.Logger.Level.ERROR, "generation failed", cause);
    return new ApiException(500, "generation_failed", null, "generation failed: " + cause);
  }

  private static void refuse(HttpExchange exchange, ApiException e) throws IOException {
    if (exchange.getResponseCode() != -1) {
      return; // the status is out already; closing the connection is all that is left
    }
    if (e.status() == 503) {
      exchange.getResponseHeaders().set("Retry-After", "1");
    }
    send(exchange, e.status(), Responses.error(e));
  }

  private static void send(HttpExchange exchange, int status, ObjectNode body) throws IOException {
    byte[] bytes = Responses.bytes(body);
    exchange.getResponseHeaders().set("Content-Type", "application/json; charset=utf-8");
    exchange.sendResponseHeaders(status, bytes.length);
    try (OutputStream out = exchange.getResponseBody()) {
      out.write(bytes);
    }
  }

  /** {@code data: …} lines, each flushed as one chunk. */
  private record EventStream(OutputStream out) {

    private static final byte[] DONE = "data: [DONE]\n\n".getBytes(StandardCharsets.US_ASCII);

    static EventStream open(HttpExchange exchange) throws IOException {
      Headers headers = exchange.getResponseHeaders();
      headers.set("Content-Type", "text/event-stream; charset=utf-8");
      headers.set("Cache-Control", "no-cache");
      exchange.sendResponseHeaders(200, 0);
      return new EventStream(exchange.getResponseBody());
    }

    void send(ObjectNode data) throws IOException {
      byte[] json = Responses.bytes(data);
      byte[] event = new byte[json.length + 8];
      System.arraycopy("data: ".getBytes(StandardCharsets.US_ASCII), 0, event, 0, 6);
      System.arraycopy(json, 0, event, 6, json.length);
      event[event.length - 2] = '\n';
      event[event.length - 1] = '\n';
      out.write(event);
      out.flush();
    }

    void done() throws IOException {
      out.write(DONE);
      out.close();
    }
  }
}
