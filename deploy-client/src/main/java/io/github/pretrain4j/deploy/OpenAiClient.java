package io.github.pretrain4j.deploy;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpTimeoutException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * A client of any server with the OpenAI dialect: models, completions, chat, and both streamed.
 *
 * <p>Every call is tried once. A wrong answer is an {@link ApiException} with status and the start
 * of the body, a slow one a {@link DeployTimeoutException}, no connection a {@link
 * DeployException}. Thread-safe.
 */
public final class OpenAiClient {
  private static final int MAX_BODY_BYTES = 64 << 20;
  private static final int MAX_LINE_BYTES = 4 << 20;
  private static final int EXCERPT_CHARS = 500;

  private final Config config;
  private final HttpClient http;

  /**
   * Where and how long.
   *
   * @param base what {@code /v1/completions} is appended to; plain http only to this machine
   * @param apiKey sent as a bearer token; null: none
   * @param requestTimeout for the headers of an answer, and again for each silence within its body
   */
  public record Config(
      URI base, @Nullable String apiKey, Duration connectTimeout, Duration requestTimeout) {
    public Config {
      String host = base.getHost();
      boolean local =
          host != null
              && (host.equals("localhost") || host.startsWith("127.") || host.equals("[::1]"));
      if (host == null || !("https".equals(base.getScheme()) || "http".equals(base.getScheme()))) {
        throw new IllegalArgumentException("not an http address: " + base);
      }
      if ("http".equals(base.getScheme()) && !local) {
        throw new IllegalArgumentException("plain http is for this machine only: " + base);
      }
      if (base.getUserInfo() != null) {
        throw new IllegalArgumentException("an address must not hold a password");
      }
      String text = base.toString();
      base = URI.create(text.endsWith("/") ? text.substring(0, text.length() - 1) : text);
    }

    @Override
    public String toString() {
      return "Config[base=" + base + ", apiKey=" + (apiKey == null ? "none" : "***") + "]";
    }
  }

  /** A chat message; {@code role} is {@code system}, {@code user} or {@code assistant}. */
  public record Message(String role, String content) {}

  /** How to sample; null leaves the choice to the server. */
  public record Sampling(
      @Nullable Integer maxTokens,
      @Nullable Double temperature,
      @Nullable Double topP,
      @Nullable Long seed,
      List<String> stop) {
    public Sampling {
      stop = List.copyOf(stop);
    }

    /** At most {@code maxTokens}, always the likeliest token. */
    public static Sampling greedy(int maxTokens) {
      return new Sampling(maxTokens, 0.0, null, null, List.of());
    }
  }

  /** What was generated; counts are -1 where the server gave none. */
  public record Generation(
      String id,
      String model,
      String text,
      String finishReason,
      int promptTokens,
      int completionTokens) {}

  public OpenAiClient(Config config) {
    this.config = config;
    this.http =
        HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .followRedirects(HttpClient.Redirect.NEVER)
            .connectTimeout(config.connectTimeout())
            .build();
  }

  /** Whether {@code /health} answers 200; false also if nothing answers at all. */
  public boolean healthy() throws InterruptedException {
    try {
      HttpResponse<BodyStream> response = send("health", request("/health").GET().build());
      response.body().close();
      return response.statusCode() == 200;
    } catch (IOException e) {
      return false; // the question was whether it is up
    }
  }

  /** Names of the models the server offers. */
  public List<String> models() throws IOException, InterruptedException {
    String operation = "models";
    HttpRequest request = request("/v1/models").GET().build();
    byte[] bytes = whole(operation, request);
    JsonNode data = parse(operation, request.uri(), 200, bytes).path("data");
    if (!data.isArray()) {
      throw new ApiException(
          operation, request.uri(), 200, null, "no list of models", excerpt(bytes), null);
    }
    List<String> names = new ArrayList<>();
    for (JsonNode model : data) {
      names.add(model.path("id").asText());
    }
    return names;
  }

  /** Continues {@code prompt}. */
  public Generation complete(String model, String prompt, Sampling sampling)
      throws IOException, InterruptedException {
    return generate("completion", completionBody(model, prompt, sampling), false);
  }

  /** Answers {@code messages}. */
  public Generation chat(String model, List<Message> messages, Sampling sampling)
      throws IOException, InterruptedException {
    return generate("chat", chatBody(model, messages, sampling), true);
  }

  /** Continues {@code prompt}; {@code onText} gets the text as it comes. */
  public Generation complete(
      String model, String prompt, Sampling sampling, Consumer<String> onText)
      throws IOException, InterruptedException {
    return stream("completion", completionBody(model, prompt, sampling), false, onText);
  }

  /** Answers {@code messages}; {@code onText} gets the text as it comes. */
  public Generation chat(
      String model, List<Message> messages, Sampling sampling, Consumer<String> onText)
      throws IOException, InterruptedException {
    return stream("chat", chatBody(model, messages, sampling), true, onText);
  }

  private static ObjectNode completionBody(String model, String prompt, Sampling sampling) {
    return body(model, sampling).put("prompt", prompt);
  }

  private static ObjectNode chatBody(String model, List<Message> messages, Sampling sampling) {
    ObjectNode body = body(model, sampling);
    ArrayNode list = body.putArray("messages");
    for (Message message : messages) {
      list.addObject().put("role", message.role()).put("content", message.content());
    }
    return body;
  }

  private static ObjectNode body(String model, Sampling sampling) {
    ObjectNode body = Json.mapper().createObjectNode().put("model", model);
    if (sampling.maxTokens() != null) {
      body.put("max_tokens", sampling.maxTokens());
    }
    if (sampling.temperature() != null) {
      body.put("temperature", sampling.temperature());
    }
    if (sampling.topP() != null) {
      body.put("top_p", sampling.topP());
    }
    if (sampling.seed() != null) {
      body.put("seed", sampling.seed());
    }
    if (!sampling.stop().isEmpty()) {
      sampling.stop().forEach(body.putArray("stop")::add);
    }
    return body;
  }

  private Generation generate(String operation, ObjectNode body, boolean chat)
      throws IOException, InterruptedException {
    HttpRequest request = post(chat, body);
    byte[] bytes = whole(operation, request);
    JsonNode root = parse(operation, request.uri(), 200, bytes);
    JsonNode choice = root.path("choices").path(0);
    JsonNode text = chat ? choice.path("message").path("content") : choice.path("text");
    if (!text.isTextual()) {
      throw new ApiException(
          operation, request.uri(), 200, null, "no text in the first choice", excerpt(bytes), null);
    }
    return generation(root, text.asText(), choice.path("finish_reason").asText(""));
  }

  private static Generation generation(JsonNode root, String text, String finishReason) {
    JsonNode usage = root.path("usage");
    return new Generation(
        root.path("id").asText(""),
        root.path("model").asText(""),
        text,
        finishReason,
        usage.path("prompt_tokens").asInt(-1),
        usage.path("completion_tokens").asInt(-1));
  }

  /**
   * Server-sent events: lines {@code data: {…}}, the last one {@code data: [DONE]}. Anything else
   * between them (comments, blank lines, event names) carries nothing for us.
   */
  private Generation stream(
      String operation, ObjectNode body, boolean chat, Consumer<String> onText)
      throws IOException, InterruptedException {
    body.put("stream", true).putObject("stream_options").put("include_usage", true);
    HttpRequest request = post(chat, body);
    HttpResponse<BodyStream> response = send(operation, request);
    try (BodyStream stream = response.body()) {
      if (response.statusCode() != 200) {
        throw failure(operation, request.uri(), response.statusCode(), all(operation, stream));
      }
      StringBuilder text = new StringBuilder();
      String finishReason = "";
      ObjectNode last = Json.mapper().createObjectNode();
      SseLines lines = new SseLines(operation, request.uri(), stream);
      while (true) {
        byte[] data = lines.next();
        if (data == null) {
          throw new ApiException(
              operation,
              request.uri(),
              200,
              null,
              "the stream ended without [DONE]",
              excerpt(text.toString()),
              null);
        }
        if (new String(data, StandardCharsets.UTF_8).equals("[DONE]")) {
          return generation(last, text.toString(), finishReason);
        }
        JsonNode event = parse(operation, request.uri(), 200, data);
        last.setAll((ObjectNode) event);
        JsonNode choice = event.path("choices").path(0);
        JsonNode piece = chat ? choice.path("delta").path("content") : choice.path("text");
        if (piece.isTextual()) {
          text.append(piece.asText());
          onText.accept(piece.asText());
        }
        finishReason = choice.path("finish_reason").asText(finishReason);
      }
    }
  }

  /** The payloads of the data lines of an event stream. */
  private final class SseLines {
    private final String operation;
    private final URI uri;
    private final BodyStream stream;
    private final ByteArrayOutputStream line = new ByteArrayOutputStream();
    private byte[] chunk = {};
    private int at;

    SseLines(String operation, URI uri, BodyStream stream) {
      this.operation = operation;
      this.uri = uri;
      this.stream = stream;
    }

    byte @Nullable [] next() throws IOException, InterruptedException {
      while (true) {
        while (at < chunk.length) {
          byte b = chunk[at++];
          if (b != '\n') {
            line.write(b);
            continue;
          }
          String complete = line.toString(StandardCharsets.UTF_8).stripTrailing();
          line.reset();
          if (complete.startsWith("data:")) {
            return complete.substring(5).stripLeading().getBytes(StandardCharsets.UTF_8);
          }
        }
        if (line.size() > MAX_LINE_BYTES) {
          throw new ApiException(
              operation,
              uri,
              200,
              null,
              "a line is longer than " + MAX_LINE_BYTES + " bytes",
              "",
              null);
        }
        byte[] more = stream.next(operation, config.requestTimeout());
        if (more == null) {
          return null;
        }
        chunk = more;
        at = 0;
      }
    }
  }

  private HttpRequest.Builder request(String path) {
    HttpRequest.Builder builder =
        HttpRequest.newBuilder(URI.create(config.base() + path)).timeout(config.requestTimeout());
    if (config.apiKey() != null) {
      builder.header("Authorization", "Bearer " + config.apiKey());
    }
    return builder;
  }

  private HttpRequest post(boolean chat, ObjectNode body) {
    return request(chat ? "/v1/chat/completions" : "/v1/completions")
        .header("Content-Type", "application/json")
        .POST(HttpRequest.BodyPublishers.ofString(body.toString()))
        .build();
  }

  private HttpResponse<BodyStream> send(String operation, HttpRequest request)
      throws IOException, InterruptedException {
    try {
      return http.send(request, headers -> new BodyStream());
    } catch (HttpTimeoutException e) {
      throw new DeployTimeoutException(
          operation + " " + request.uri(), config.requestTimeout(), " (no answer)");
    } catch (IOException e) {
      String why = e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
      throw new DeployException(operation + " " + request.uri() + ": no answer: " + why, e);
    }
  }

  /** The body of a 200 answer; everything else is an exception. */
  private byte[] whole(String operation, HttpRequest request)
      throws IOException, InterruptedException {
    HttpResponse<BodyStream> response = send(operation, request);
    try (BodyStream stream = response.body()) {
      byte[] bytes = all(operation, stream);
      if (response.statusCode() != 200) {
        throw failure(operation, request.uri(), response.statusCode(), bytes);
      }
      return bytes;
    }
  }

  private byte[] all(String operation, BodyStream stream) throws IOException, InterruptedException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    while (true) {
      byte[] chunk = stream.next(operation, config.requestTimeout());
      if (chunk == null) {
        return bytes.toByteArray();
      }
      if (bytes.size() + (long) chunk.length > MAX_BODY_BYTES) {
        throw new DeployException(
            operation + ": the answer is longer than " + MAX_BODY_BYTES + " bytes");
      }
      bytes.writeBytes(chunk);
    }
  }

  /** An object that is no error report; servers are known to send errors with status 200, too. */
  private static JsonNode parse(String operation, URI uri, int status, byte[] bytes)
      throws IOException {
    JsonNode root;
    try {
      root = Json.mapper().readTree(bytes);
    } catch (JsonProcessingException e) {
      throw new ApiException(operation, uri, status, null, "not JSON", excerpt(bytes), e);
    }
    if (!root.isObject() || root.hasNonNull("error")) {
      throw failure(operation, uri, status, bytes);
    }
    return root;
  }

  private static ApiException failure(String operation, URI uri, int status, byte[] bytes) {
    JsonNode error;
    try {
      error = Json.mapper().readTree(bytes).path("error");
    } catch (IOException e) {
      return new ApiException(operation, uri, status, null, "an error page", excerpt(bytes), e);
    }
    JsonNode code = error.hasNonNull("code") ? error.get("code") : error.path("type");
    String message = error.isTextual() ? error.asText() : error.path("message").asText("");
    return new ApiException(
        operation,
        uri,
        status,
        code.isValueNode() ? code.asText() : null,
        message.isEmpty() ? "not the expected answer" : message,
        excerpt(bytes),
        null);
  }

  private static String excerpt(byte[] bytes) {
    return excerpt(
        new String(bytes, 0, Math.min(bytes.length, 4 * EXCERPT_CHARS), StandardCharsets.UTF_8));
  }

  private static String excerpt(String text) {
    String cut = text.length() > EXCERPT_CHARS ? text.substring(0, EXCERPT_CHARS) + "…" : text;
    return cut.replaceAll("\\p{Cntrl}", " ").strip();
  }
}
