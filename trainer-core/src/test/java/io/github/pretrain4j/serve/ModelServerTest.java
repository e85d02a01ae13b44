package io.github.pretrain4j.serve;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.google.common.base.Splitter;
import com.google.common.util.concurrent.Uninterruptibles;
import io.github.pretrain4j.generate.ByteTokenizer;
import io.github.pretrain4j.generate.Generator;
import io.github.pretrain4j.generate.ScriptedModel;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Against a real socket, with the JDK's client. */
@Timeout(30)
class ModelServerTest {

  private static final JsonMapper JSON = new JsonMapper();

  private final HttpClient client = HttpClient.newHttpClient();
  private @Nullable ModelServer server;

  @AfterEach
  void stop() {
    if (server != null) {
      server.close();
    }
    client.close();
  }

  private void serve(ScriptedModel model) throws Exception {
    serve(ServeConfig.of("tiny", 0), ChatFormat.plain(), () -> generator(model));
    server().awaitReady();
  }

  private void serve(ServeConfig config, ChatFormat chat, ModelServer.Loader loader)
      throws IOException {
    server = ModelServer.start(config, chat, loader);
  }

  private ModelServer server() {
    assertNotNull(server);
    return server;
  }

  private static Generator generator(ScriptedModel model) {
    return new Generator(model, new ByteTokenizer(), true);
  }

  @Test
  void reportsHealthAndModels() throws Exception {
    serve(ScriptedModel.saying("x"));
    assertEquals("ok", get("/health", 200).path("status").asText());
    JsonNode model = get("/v1/models", 200).path("data").path(0);
    assertEquals("tiny", model.path("id").asText());
    assertEquals("plain", model.path("chat_template").path("applied").asText());
    assertEquals(4096, model.path("max_model_len").asInt());
    assertEquals("model", get("/v1/models/tiny", 200).path("object").asText());
  }

  @Test
  void closesWhatItCanWhenTheModelsThreadDoesNotEnd(@TempDir Path folder) throws Exception {
    Path portFile = folder.resolve("port");
    ServeConfig defaults = ServeConfig.of("tiny", 0);
    ServeConfig config =
        new ServeConfig(
            defaults.modelId(),
            defaults.address(),
            0,
            portFile,
            defaults.queueCapacity(),
            defaults.maxBodyBytes(),
            defaults.seed());
    CountDownLatch loading = new CountDownLatch(1);
    List<String> warnings = Collections.synchronizedList(new ArrayList<>());
    Handler handler = new WarningHandler(warnings);
    Logger logger = Logger.getLogger(ModelServer.class.getName());
    logger.addHandler(handler);
    try {
      serve(
          config,
          ChatFormat.plain(),
          () -> {
            // deaf to interrupts, as native code is
            Uninterruptibles.awaitUninterruptibly(loading);
            return generator(ScriptedModel.saying("x"));
          });
      assertTrue(Files.exists(portFile));
      server().close(Duration.ofMillis(100));
      assertEquals(1, warnings.size(), warnings::toString);
      assertTrue(warnings.getFirst().contains("still at work after"), warnings::toString);
      assertTrue(Files.notExists(portFile));
    } finally {
      loading.countDown();
      logger.removeHandler(handler);
    }
  }

  /** Keeps messages. */
  private static final class WarningHandler extends Handler {
    private final List<String> warnings;

    WarningHandler(List<String> warnings) {
      this.warnings = warnings;
    }

    @Override
    public void publish(LogRecord entry) {
      warnings.add(entry.getMessage());
    }

    @Override
    public void flush() {}

    @Override
    public void close() {}
  }

  @Test
  void completesAPrompt() throws Exception {
    serve(ScriptedModel.saying(" world"));
    JsonNode answer =
        post("/v1/completions", "{'model':'tiny','prompt':'Hello','temperature':0}", 200);
    JsonNode choice = answer.path("choices").path(0);
    assertEquals("text_completion", answer.path("object").asText());
    assertEquals(" world", choice.path("text").asText());
    assertEquals("stop", choice.path("finish_reason").asText());
    assertTrue(choice.path("logprobs").isNull());
    assertEquals(6, answer.path("usage").path("prompt_tokens").asInt());
    assertEquals(7, answer.path("usage").path("completion_tokens").asInt());
    assertEquals(13, answer.path("usage").path("total_tokens").asInt());
  }

  @Test
  void honoursMaxTokensStopEchoAndLists() throws Exception {
    serve(ScriptedModel.saying("one two"));
    JsonNode cut = post("/v1/completions", "{'prompt':'p','max_tokens':3,'temperature':0}", 200);
    assertEquals("one", cut.path("choices").path(0).path("text").asText());
    assertEquals("length", cut.path("choices").path(0).path("finish_reason").asText());
    JsonNode stopped =
        post("/v1/completions", "{'prompt':'p','stop':[' tw'],'temperature':0}", 200);
    assertEquals("one", stopped.path("choices").path(0).path("text").asText());
    JsonNode two =
        post(
            "/v1/completions",
            "{'prompt':['a',[98,99]],'echo':true,'temperature':0,'max_tokens':3}",
            200);
    assertEquals("aone", two.path("choices").path(0).path("text").asText());
    assertEquals("bcone", two.path("choices").path(1).path("text").asText());
    assertEquals(1, two.path("choices").path(1).path("index").asInt());
    assertEquals(4, two.path("usage").path("prompt_tokens").asInt());
  }

  @Test
  void theSeedDecidesTheAnswer() throws Exception {
    serve(ScriptedModel.bigram(last -> 'a' + last % 26));
    String body = "{'prompt':'p','temperature':1.5,'max_tokens':20,'seed':%d}";
    String seven = text(post("/v1/completions", body.formatted(7), 200));
    assertEquals(seven, text(post("/v1/completions", body.formatted(7), 200)));
    assertNotEquals(seven, text(post("/v1/completions", body.formatted(8), 200)));
  }

  @Test
  void chatsWithThePlainTemplateAndStopsAtTheNextTurn() throws Exception {
    serve(ScriptedModel.saying(" Hi!\nUser: and now me"));
    JsonNode answer =
        post(
            "/v1/chat/completions",
            "{'messages':[{'role':'system','content':'Be brief.'},{'role':'user','content':'Hello'}],"
                + "'temperature':0}",
            200);
    assertEquals("chat.completion", answer.path("object").asText());
    JsonNode message = answer.path("choices").path(0).path("message");
    assertEquals("assistant", message.path("role").asText());
    assertEquals(" Hi!", message.path("content").asText());
    int prompt = "System: Be brief.\nUser: Hello\nAssistant:".length() + 1;
    assertEquals(prompt, answer.path("usage").path("prompt_tokens").asInt());
  }

  @Test
  void streamsACompletion() throws Exception {
    serve(ScriptedModel.saying("漢字 ok"));
    List<String> events =
        stream(
            "/v1/completions",
            "{'prompt':'p','stream':true,'temperature':0,'stream_options':{'include_usage':true}}");
    assertEquals("[DONE]", events.removeLast());
    JsonNode usage = JSON.readTree(events.removeLast());
    assertEquals(0, usage.path("choices").size());
    assertEquals(10, usage.path("usage").path("completion_tokens").asInt());
    StringBuilder text = new StringBuilder();
    for (String event : events) {
      text.append(JSON.readTree(event).path("choices").path(0).path("text").asText());
    }
    assertEquals("漢字 ok", text.toString());
    assertEquals(
        "stop",
        JSON.readTree(events.getLast()).path("choices").path(0).path("finish_reason").asText());
    assertTrue(events.size() > 4, "token by token: " + events);
  }

  @Test
  void streamsAChat() throws Exception {
    serve(ScriptedModel.saying("Hi"));
    List<String> events =
        stream(
            "/v1/chat/completions",
            "{'messages':[{'role':'user','content':[{'type':'text','text':'Hello'}]}],'stream':true,'temperature':0}");
    assertEquals("[DONE]", events.removeLast());
    JsonNode first = JSON.readTree(events.getFirst());
    assertEquals("chat.completion.chunk", first.path("object").asText());
    assertEquals("assistant", first.path("choices").path(0).path("delta").path("role").asText());
    StringBuilder text = new StringBuilder();
    for (String event : events) {
      text.append(
          JSON.readTree(event).path("choices").path(0).path("delta").path("content").asText());
    }
    assertEquals("Hi", text.toString());
  }

  @Test
  void refusesWhatItDoesNotUnderstand() throws Exception {
    serve(ScriptedModel.saying("x"));
    assertRefused("/v1/completions", "{'prompt':", "invalid_json", null);
    assertRefused("/v1/completions", "[]", "invalid_json", null);
    assertRefused("/v1/completions", "{'prompt':'a','prompt':'b'}", "invalid_json", null);
    assertRefused("/v1/completions", "{}", "invalid_value", "prompt");
    assertRefused("/v1/completions", "{'prompt':[[1.5]]}", "invalid_value", "prompt");
    assertRefused("/v1/completions", "{'prompt':[999]}", "invalid_value", "prompt");
    assertRefused(
        "/v1/completions", "{'prompt':'a','temprature':1}", "unknown_parameter", "temprature");
    assertRefused(
        "/v1/completions", "{'prompt':'a','temperature':3}", "invalid_value", "temperature");
    assertRefused("/v1/completions", "{'prompt':'a','top_p':0}", "invalid_value", "top_p");
    assertRefused(
        "/v1/completions", "{'prompt':'a','max_tokens':-1}", "invalid_value", "max_tokens");
    assertRefused(
        "/v1/completions", "{'prompt':'a','max_tokens':1e99}", "invalid_value", "max_tokens");
    assertRefused("/v1/completions", "{'prompt':'a','n':2}", "invalid_value", "n");
    assertRefused(
        "/v1/completions", "{'prompt':'a','logprobs':5}", "unsupported_parameter", "logprobs");
    assertRefused(
        "/v1/completions",
        "{'prompt':'a','presence_penalty':1}",
        "unsupported_parameter",
        "presence_penalty");
    assertRefused("/v1/completions", "{'prompt':'a','stop':['']}", "invalid_value", "stop");
    assertRefused("/v1/chat/completions", "{'messages':[]}", "invalid_value", "messages");
    assertRefused(
        "/v1/chat/completions",
        "{'messages':[{'role':'robot','content':'x'}]}",
        "invalid_value",
        "messages[0].role");
    assertRefused(
        "/v1/chat/completions",
        "{'messages':[{'role':'assistant','content':'x'}]}",
        "invalid_value",
        "messages");
    String tooLong = "{'prompt':'" + "a".repeat(4096) + "'}";
    assertRefused("/v1/completions", tooLong, "context_length_exceeded", "prompt");
    assertEquals(
        "x",
        text(
            post(
                "/v1/completions",
                "{'prompt':'a','logprobs':null,'presence_penalty':0,'user':'u','temperature':0}",
                200)));
  }

  @Test
  void refusesWrongPathsMethodsTypesAndSizes() throws Exception {
    ServeConfig small =
        new ServeConfig("tiny", ServeConfig.of("tiny", 0).address(), 0, null, 1, 1000, 0);
    serve(small, ChatFormat.plain(), () -> generator(ScriptedModel.saying("x")));
    server().awaitReady();
    assertEquals("not_found", error(get("/v1/nothing", 404)));
    assertEquals("not_found", error(get("/v1/models/other", 404)));
    assertEquals(
        "model_not_found", error(post("/v1/completions", "{'model':'other','prompt':'a'}", 404)));
    HttpResponse<String> get = send(request("/v1/completions").GET().build());
    assertEquals(405, get.statusCode());
    assertEquals("POST", get.headers().firstValue("Allow").orElseThrow());
    assertEquals("method_not_allowed", error(post("/health", "{}", 405)));
    String large = "{'prompt':'" + "a".repeat(200_000) + "'}";
    assertEquals("body_too_large", error(post("/v1/completions", large, 413)));
    HttpResponse<String> form =
        send(request("/v1/completions").POST(HttpRequest.BodyPublishers.ofString("{}")).build());
    assertEquals(400, form.statusCode());
    assertEquals("invalid_content_type", error(JSON.readTree(form.body())));
  }

  @Test
  void saysThatItIsLoading() throws Exception {
    CountDownLatch goOn = new CountDownLatch(1);
    serve(
        ServeConfig.of("tiny", 0),
        ChatFormat.plain(),
        () -> {
          await(goOn);
          return generator(ScriptedModel.saying("x"));
        });
    assertEquals("loading", error(get("/health", 503)));
    assertEquals("loading", error(post("/v1/completions", "{'prompt':'a'}", 503)));
    assertTrue(get("/v1/models", 200).path("data").path(0).path("max_model_len").isNull());
    goOn.countDown();
    server().awaitReady();
    get("/health", 200);
  }

  @Test
  void handsOnWhatLoadingThrew() throws Exception {
    serve(
        ServeConfig.of("tiny", 0),
        ChatFormat.plain(),
        () -> {
          throw new IOException("model.safetensors: cut");
        });
    IOException e = assertThrows(IOException.class, server()::awaitReady);
    assertEquals("model.safetensors: cut", e.getMessage());
  }

  @Test
  void refusesMoreThanTheQueueHolds() throws Exception {
    Semaphore tokens = new Semaphore(0);
    ServeConfig one =
        new ServeConfig("tiny", ServeConfig.of("tiny", 0).address(), 0, null, 1, 10_000, 0);
    CountDownLatch running = new CountDownLatch(1);
    ScriptedModel model =
        ScriptedModel.saying(
            "ab",
            () -> {
              running.countDown();
              tokens.acquireUninterruptibly();
            });
    serve(one, ChatFormat.plain(), () -> generator(model));
    server().awaitReady();
    String body = "{'prompt':'p','temperature':0}";
    CompletableFuture<HttpResponse<String>> first = postAsync(body);
    await(running);
    List<CompletableFuture<HttpResponse<String>>> others =
        List.of(postAsync(body), postAsync(body), postAsync(body));
    // One waits, two are refused; which is which is up to the scheduler.
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(10);
    while (others.stream().filter(CompletableFuture::isDone).count() < 2
        && System.nanoTime() < deadline) {
      Thread.sleep(5);
    }
    tokens.release(100);
    List<Integer> statuses = new ArrayList<>();
    for (CompletableFuture<HttpResponse<String>> other : others) {
      HttpResponse<String> response = other.get();
      statuses.add(response.statusCode());
      if (response.statusCode() == 503) {
        assertEquals("overloaded", error(JSON.readTree(response.body())));
        assertEquals("1", response.headers().firstValue("Retry-After").orElseThrow());
      }
    }
    assertEquals(List.of(200, 503, 503), statuses.stream().sorted().toList());
    assertEquals("ab", text(JSON.readTree(first.get().body())));
  }

  @Test
  void aClientThatLeavesEndsItsGeneration() throws Exception {
    Semaphore tokens = new Semaphore(2);
    CountDownLatch later = new CountDownLatch(1);
    ScriptedModel model = ScriptedModel.saying("a".repeat(4000), tokens::acquireUninterruptibly);
    serve(model);
    HttpRequest request =
        json("/v1/completions", "{'prompt':'p','stream':true,'temperature':0,'max_tokens':4000}");
    HttpResponse<InputStream> response = client.send(request, BodyHandlers.ofInputStream());
    try (InputStream in = response.body()) {
      assertTrue(in.read() >= 0);
    } // closed: the connection is gone
    tokens.release(1_000_000);
    CompletableFuture<HttpResponse<String>> next =
        postAsync("{'prompt':'p','temperature':0,'max_tokens':1}");
    assertEquals(200, next.get(20, TimeUnit.SECONDS).statusCode());
    later.countDown();
  }

  @Test
  void finishesWhatIsUnderWayWhenStopped() throws Exception {
    Semaphore tokens = new Semaphore(0);
    CountDownLatch running = new CountDownLatch(1);
    ScriptedModel model =
        ScriptedModel.saying(
            "done",
            () -> {
              running.countDown();
              tokens.acquireUninterruptibly();
            });
    serve(model);
    CompletableFuture<HttpResponse<String>> answer = postAsync("{'prompt':'p','temperature':0}");
    await(running);
    CompletableFuture<Void> stopped =
        CompletableFuture.runAsync(server()::close, Thread.ofPlatform().name("stop")::start);
    tokens.release(100);
    assertEquals("done", text(JSON.readTree(answer.get().body())));
    stopped.get();
    assertTrue(model.isClosed());
    assertThrows(IOException.class, () -> send(request("/health").GET().build()));
    server().close(); // idempotent
  }

  @Test
  void writesThePortForWhoeverStartedIt(@TempDir Path folder) throws Exception {
    Path file = folder.resolve("port");
    ServeConfig config =
        new ServeConfig("tiny", ServeConfig.of("tiny", 0).address(), 0, file, 1, 1000, 0);
    serve(config, ChatFormat.plain(), () -> generator(ScriptedModel.saying("x")));
    assertEquals(server().port() + "\n", Files.readString(file));
    server().close();
    assertFalse(Files.exists(file));
  }

  @Test
  void namesATemplateItDoesNotRun(@TempDir Path folder) throws Exception {
    assertEquals(ChatFormat.plain(), ChatFormat.of(folder, null));
    Files.writeString(
        folder.resolve("tokenizer_config.json"), "{\"chat_template\":\"{{ messages }}\"}");
    ChatFormat chat = ChatFormat.of(folder, ChatTemplate.LLAMA2);
    serve(ServeConfig.of("tiny", 0), chat, () -> generator(ScriptedModel.saying("x")));
    JsonNode template = get("/v1/models/tiny", 200).path("chat_template");
    assertEquals("llama2", template.path("applied").asText());
    assertEquals(64, template.path("ignored_sha256").asText().length());
  }

  private void assertRefused(String path, String body, String code, @Nullable String parameter)
      throws Exception {
    JsonNode error = post(path, body, 400).path("error");
    assertEquals(code, error.path("code").asText(), body);
    assertEquals(parameter, error.path("param").textValue(), body);
    assertEquals("invalid_request_error", error.path("type").asText());
    assertFalse(error.path("message").asText().isEmpty());
  }

  private static void await(CountDownLatch latch) {
    try {
      assertTrue(latch.await(20, TimeUnit.SECONDS));
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  private static String error(JsonNode body) {
    return body.path("error").path("code").asText();
  }

  private static String text(JsonNode body) {
    return body.path("choices").path(0).path("text").asText();
  }

  private HttpRequest.Builder request(String path) {
    return HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + server().port() + path));
  }

  /** Bodies are written with single quotes. */
  private HttpRequest json(String path, String body) {
    return request(path)
        .header("Content-Type", "application/json")
        .POST(HttpRequest.BodyPublishers.ofString(body.replace('\'', '"')))
        .build();
  }

  private HttpResponse<String> send(HttpRequest request) throws IOException, InterruptedException {
    return client.send(request, BodyHandlers.ofString());
  }

  private JsonNode get(String path, int status) throws Exception {
    HttpResponse<String> response = send(request(path).GET().build());
    assertEquals(status, response.statusCode(), response.body());
    return JSON.readTree(response.body());
  }

  private JsonNode post(String path, String body, int status) throws Exception {
    HttpResponse<String> response = send(json(path, body));
    assertEquals(status, response.statusCode(), response.body());
    return JSON.readTree(response.body());
  }

  private CompletableFuture<HttpResponse<String>> postAsync(String body) {
    return client.sendAsync(json("/v1/completions", body), BodyHandlers.ofString());
  }

  private List<String> stream(String path, String body) throws Exception {
    HttpResponse<String> response = send(json(path, body));
    assertEquals(200, response.statusCode(), response.body());
    assertTrue(
        response
            .headers()
            .firstValue("Content-Type")
            .orElseThrow()
            .startsWith("text/event-stream"));
    List<String> events = new ArrayList<>();
    for (String event : Splitter.on("\n\n").omitEmptyStrings().split(response.body())) {
      assertTrue(event.startsWith("data: "), event);
      events.add(event.substring(6));
    }
    return events;
  }
}
