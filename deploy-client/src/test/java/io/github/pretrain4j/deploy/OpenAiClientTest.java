package io.github.pretrain4j.deploy;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class OpenAiClientTest {
  private final ExecutorService threads = Executors.newCachedThreadPool();
  private final CountDownLatch ended = new CountDownLatch(1);
  private final HttpServer server;
  private final URI base;
  private JsonNode lastBody = Json.mapper().createObjectNode();
  private @Nullable String lastAuthorization;

  OpenAiClientTest() throws IOException {
    server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.setExecutor(threads);
    server.start();
    base = URI.create("http://127.0.0.1:" + server.getAddress().getPort());
  }

  @AfterEach
  void stop() {
    ended.countDown();
    server.stop(0);
    threads.shutdownNow();
  }

  private void answers(String path, int status, String... pieces) {
    server.createContext(
        path,
        exchange -> {
          read(exchange);
          exchange.sendResponseHeaders(status, 0);
          try (OutputStream out = exchange.getResponseBody()) {
            for (String piece : pieces) {
              out.write(piece.getBytes(StandardCharsets.UTF_8));
              out.flush();
            }
          }
        });
  }

  private void read(HttpExchange exchange) throws IOException {
    byte[] body = exchange.getRequestBody().readAllBytes();
    lastAuthorization = exchange.getRequestHeaders().getFirst("Authorization");
    if (body.length > 0) {
      lastBody = Json.mapper().readTree(body);
    }
  }

  private OpenAiClient client() {
    return client(Duration.ofSeconds(20), null);
  }

  private OpenAiClient client(Duration timeout, @Nullable String key) {
    return new OpenAiClient(new OpenAiClient.Config(base, key, Duration.ofSeconds(5), timeout));
  }

  private static OpenAiClient.Sampling greedy() {
    return OpenAiClient.Sampling.greedy(7);
  }

  @Test
  void listsModels() throws Exception {
    answers("/v1/models", 200, "{\"object\":\"list\",\"data\":[{\"id\":\"a\"},{\"id\":\"b\"}]}");
    assertEquals(List.of("a", "b"), client(Duration.ofSeconds(20), "secret-key").models());
    assertEquals("Bearer secret-key", lastAuthorization);
  }

  @Test
  void completes() throws Exception {
    answers(
        "/v1/completions",
        200,
        "{\"id\":\"x\",\"model\":\"m\",\"choices\":[{\"text\":\"疑是\",\"finish_reason\":\"length\"}],",
        "\"usage\":{\"prompt_tokens\":2,\"completion_tokens\":7}}");
    var sampling = new OpenAiClient.Sampling(7, 0.5, 0.9, 42L, List.of("。"));
    OpenAiClient.Generation answer = client().complete("m", "床前明月光", sampling);
    assertEquals(new OpenAiClient.Generation("x", "m", "疑是", "length", 2, 7), answer);
    assertEquals(
        "{\"model\":\"m\",\"max_tokens\":7,\"temperature\":0.5,\"top_p\":0.9,\"seed\":42,"
            + "\"stop\":[\"。\"],\"prompt\":\"床前明月光\"}",
        lastBody.toString());
    assertNull(lastAuthorization);
  }

  @Test
  void chats() throws Exception {
    answers(
        "/v1/chat/completions",
        200,
        "{\"choices\":[{\"message\":{\"role\":\"assistant\",\"content\":\"hi\"}}]}");
    var message = new OpenAiClient.Message("user", "hello");
    assertEquals("hi", client().chat("m", List.of(message), greedy()).text());
    assertEquals("hello", lastBody.at("/messages/0/content").asText());
  }

  @Test
  void streamsTextAsItComes() throws Exception {
    answers(
        "/v1/completions",
        200,
        ": a comment\n\ndata: {\"id\":\"x\",\"model\":\"m\",\"choices\":[{\"text\":\"地",
        "上\"}]}\r\n\r\nda",
        "ta:{\"choices\":[{\"text\":\"霜\",\"finish_reason\":\"stop\"}]}\n\n",
        "event: usage\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2}}\n\n",
        "data: [DONE]\n\n");
    List<String> pieces = new ArrayList<>();
    OpenAiClient.Generation answer = client().complete("m", "疑是", greedy(), pieces::add);
    assertEquals(List.of("地上", "霜"), pieces);
    assertEquals(new OpenAiClient.Generation("x", "m", "地上霜", "stop", 3, 2), answer);
    assertTrue(lastBody.path("stream").asBoolean());
  }

  @Test
  void streamsChats() throws Exception {
    answers(
        "/v1/chat/completions",
        200,
        "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\"},\"finish_reason\":null}]}\n\n",
        "data: {\"choices\":[{\"delta\":{\"content\":\"hi\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n");
    List<String> pieces = new ArrayList<>();
    var message = new OpenAiClient.Message("user", "hello");
    OpenAiClient.Generation answer = client().chat("m", List.of(message), greedy(), pieces::add);
    assertEquals("hi", answer.text());
    assertEquals("stop", answer.finishReason());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "404|{\"error\":{\"code\":\"model_not_found\",\"message\":\"no model m\"}}|model_not_found|no model m",
        "400|{\"error\":{\"type\":\"invalid_request_error\",\"message\":\"too long\"}}|invalid_request_error|too long",
        "200|{\"error\":{\"code\":336100,\"message\":\"busy\"}}|336100|busy",
        "500|{\"error\":\"boom\"}||boom",
        "502|<html>Bad gateway</html>||<html>Bad gateway</html>",
        "200|{\"choices\":[{\"te||not JSON",
        "200|{\"choices\":[]}||no text",
        "200|[]||not the expected answer",
        "503|``||HTTP 503"
      })
  void saysWhatWentWrong(int status, String body, @Nullable String code, String said) {
    answers("/v1/completions", status, body == null ? "" : body);
    ApiException e = assertThrows(ApiException.class, () -> client().complete("m", "x", greedy()));
    assertEquals(status, e.httpStatus());
    assertEquals(code, e.code());
    assertTrue(String.valueOf(e.getMessage()).contains(said), e::getMessage);
    if (status != 200) {
      ApiException streamed =
          assertThrows(
              ApiException.class, () -> client().complete("m", "x", greedy(), piece -> {}));
      assertEquals(e.getMessage(), streamed.getMessage());
    }
  }

  @Test
  void cutsTheExcerptOfALongBody() {
    answers("/v1/models", 500, "x\u0007".repeat(10_000));
    ApiException e = assertThrows(ApiException.class, () -> client().models());
    assertEquals(501, e.bodyExcerpt().length());
    assertFalse(e.bodyExcerpt().contains("\u0007"));
  }

  @Test
  void aStreamThatEndsEarlyIsAnError() {
    answers("/v1/completions", 200, "data: {\"choices\":[{\"text\":\"half\"}]}\n\n");
    ApiException e =
        assertThrows(ApiException.class, () -> client().complete("m", "x", greedy(), piece -> {}));
    assertTrue(String.valueOf(e.getMessage()).contains("[DONE]"));
  }

  @Test
  void anErrorInsideAStreamIsAnError() {
    answers("/v1/completions", 200, "data: {\"error\":{\"message\":\"out of memory\"}}\n\n");
    ApiException e =
        assertThrows(ApiException.class, () -> client().complete("m", "x", greedy(), piece -> {}));
    assertTrue(String.valueOf(e.getMessage()).contains("out of memory"));
  }

  @Test
  void aServerThatDoesNotAnswerTimesOut() {
    server.createContext("/v1/models", exchange -> await());
    OpenAiClient client = client(Duration.ofMillis(300), null);
    assertThrows(DeployTimeoutException.class, client::models);
  }

  @Test
  void aBodyThatStopsComingTimesOut() {
    server.createContext(
        "/v1/completions",
        exchange -> {
          read(exchange);
          exchange.sendResponseHeaders(200, 0);
          OutputStream out = exchange.getResponseBody();
          out.write("data: {\"choices\":[{\"text\":\"a\"}]}\n\n".getBytes(StandardCharsets.UTF_8));
          out.flush();
          await();
        });
    OpenAiClient client = client(Duration.ofMillis(500), null);
    List<String> pieces = new ArrayList<>();
    assertThrows(
        DeployTimeoutException.class, () -> client.complete("m", "x", greedy(), pieces::add));
    assertEquals(List.of("a"), pieces);
    assertThrows(DeployTimeoutException.class, () -> client.complete("m", "x", greedy()));
  }

  private void await() {
    try {
      ended.await();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  @Test
  void aServerThatIsNotThereIsAnError() throws Exception {
    OpenAiClient client = client();
    server.stop(0);
    assertFalse(client.healthy());
    DeployException e = assertThrows(DeployException.class, client::models);
    assertTrue(String.valueOf(e.getMessage()).contains("no answer"), e::getMessage);
  }

  @Test
  void isHealthyOnlyAt200() throws Exception {
    assertFalse(client().healthy()); // 404
    answers("/health", 200, "{}");
    assertTrue(client().healthy());
  }

  @Test
  void keepsKeysOffOpenLines() {
    for (String uri :
        List.of("http://example.com", "ftp://127.0.0.1", "http:/x", "http://u:p@localhost")) {
      assertThrows(
          IllegalArgumentException.class,
          () ->
              new OpenAiClient.Config(
                  URI.create(uri), "k", Duration.ofSeconds(1), Duration.ofSeconds(1)),
          uri);
    }
    var config =
        new OpenAiClient.Config(
            URI.create("https://example.com/x/"),
            "secret",
            Duration.ofSeconds(1),
            Duration.ofSeconds(1));
    assertEquals("https://example.com/x", config.base().toString());
    assertFalse(config.toString().contains("secret"));
  }
}
