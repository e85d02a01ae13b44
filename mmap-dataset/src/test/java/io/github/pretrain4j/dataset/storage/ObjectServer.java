package io.github.pretrain4j.dataset.storage;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.jspecify.annotations.Nullable;

/**
 * A small S3-like store on the loopback interface: objects with ETags, ranges, If-Match; and
 * answers that a test scripts.
 */
public final class ObjectServer implements AutoCloseable {
  /** Handles a request instead of the store, or returns false to let it through. */
  @FunctionalInterface
  public interface Script {
    /** Told of every request, with its number from 1 on. */
    boolean handle(HttpExchange exchange, int number) throws IOException;
  }

  private final HttpServer server;
  private final ExecutorService threads = Executors.newCachedThreadPool();
  private final Map<String, byte[]> objects = new ConcurrentHashMap<>();
  private final Map<String, String> etags = new ConcurrentHashMap<>();
  private final List<String> requests = new CopyOnWriteArrayList<>();
  private volatile @Nullable Script script;

  /** Starts a store. */
  public ObjectServer() throws IOException {
    server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.setExecutor(threads);
    server.createContext("/", this::serve);
    server.start();
  }

  /** An impatient config for this store. */
  public S3Config config(@Nullable S3Credentials credentials) {
    return S3Config.amazon("us-east-1", credentials)
        .withEndpoint(URI.create("http://127.0.0.1:" + server.getAddress().getPort()))
        .withPatience(Duration.ofSeconds(20), 3, Duration.ofMillis(1));
  }

  /** Stores {@code /bucket/key}. */
  public void put(String path, byte[] bytes, String etag) {
    objects.put(path, bytes);
    etags.put(path, "\"" + etag + "\"");
  }

  /** Answers by the script from now on; counts requests anew. */
  public void script(Script value) {
    requests.clear();
    script = value;
  }

  /** Method, path, range and authorization of the requests so far. */
  public List<String> requests() {
    return requests;
  }

  private void serve(HttpExchange exchange) throws IOException {
    try (exchange) {
      String range = exchange.getRequestHeaders().getFirst("range");
      requests.add(
          exchange.getRequestMethod()
              + " "
              + exchange.getRequestURI().getRawPath()
              + " "
              + range
              + " "
              + exchange.getRequestHeaders().getFirst("authorization"));
      Script current = script;
      if (current == null || !current.handle(exchange, requests.size())) {
        answer(exchange, range);
      }
    }
  }

  private void answer(HttpExchange exchange, @Nullable String range) throws IOException {
    String path = exchange.getRequestURI().getPath();
    byte[] object = objects.get(path);
    String etag = etags.get(path);
    if (object == null || etag == null) {
      error(exchange, 404, "NoSuchKey");
      return;
    }
    exchange.getResponseHeaders().set("ETag", etag);
    if (exchange.getRequestMethod().equals("HEAD")) {
      exchange.getResponseHeaders().set("Content-Length", "" + object.length);
      exchange.sendResponseHeaders(200, -1);
      return;
    }
    String match = exchange.getRequestHeaders().getFirst("if-match");
    if (match != null && !match.equals(etag)) {
      error(exchange, 412, "PreconditionFailed");
      return;
    }
    if (range == null) {
      send(exchange, 200, object, 0, object.length);
      return;
    }
    String[] ends = range.substring("bytes=".length()).split("-", 2);
    int first = Integer.parseInt(ends[0]);
    int last = Math.min(Integer.parseInt(ends[1]), object.length - 1);
    if (first > last) {
      error(exchange, 416, "InvalidRange");
      return;
    }
    exchange
        .getResponseHeaders()
        .set("Content-Range", "bytes " + first + "-" + last + "/" + object.length);
    send(exchange, 206, object, first, last - first + 1);
  }

  private static void send(HttpExchange exchange, int status, byte[] bytes, int from, int count)
      throws IOException {
    exchange.sendResponseHeaders(status, count == 0 ? -1 : count);
    exchange.getResponseBody().write(bytes, from, count);
  }

  /** Answers with an error as S3 words it. */
  public static void error(HttpExchange exchange, int status, String code) throws IOException {
    byte[] body =
        ("<?xml version=\"1.0\"?><Error><Code>" + code + "</Code></Error>")
            .getBytes(StandardCharsets.UTF_8);
    boolean head = exchange.getRequestMethod().equals("HEAD");
    exchange.sendResponseHeaders(status, head ? -1 : body.length);
    if (!head) {
      exchange.getResponseBody().write(body);
    }
  }

  @Override
  public void close() {
    server.stop(0);
    threads.shutdownNow();
  }
}
