package io.github.pretrain4j.serve;

import com.sun.net.httpserver.HttpServer;
import io.github.pretrain4j.generate.Generator;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/**
 * The server: listens at once, loads the model on the thread that will own it, answers until
 * closed. Thread-safe.
 *
 * <pre>{@code
 * try (ModelServer server = ModelServer.start(config, chat, () -> ModelLoader.load(folder, options))) {
 *   server.awaitReady();
 *   …
 * }
 * }</pre>
 */
public final class ModelServer implements AutoCloseable {

  /** Brings the model; called once, on the thread that will own it and close it. */
  @FunctionalInterface
  public interface Loader {
    Generator load() throws IOException;
  }

  private static final System.Logger LOG = System.getLogger(ModelServer.class.getName());
  private static final Duration GRACE = Duration.ofSeconds(10);

  private final HttpServer http;
  private final ExecutorService connections;
  private final GenerationQueue queue;
  private final ServeConfig config;
  private boolean closed;

  private ModelServer(
      HttpServer http, ExecutorService connections, GenerationQueue queue, ServeConfig config) {
    this.http = http;
    this.connections = connections;
    this.queue = queue;
    this.config = config;
  }

  /**
   * Listens, writes the port file and begins to load. {@code /health} says 503 until the model is
   * there.
   */
  public static ModelServer start(ServeConfig config, ChatFormat chat, Loader loader)
      throws IOException {
    HttpServer http = HttpServer.create(new InetSocketAddress(config.address(), config.port()), 0);
    ExecutorService connections =
        Executors.newThreadPerTaskExecutor(Thread.ofVirtual().name("p4j-http-", 0).factory());
    GenerationQueue queue = new GenerationQueue(loader, config.queueCapacity());
    ModelServer server = new ModelServer(http, connections, queue, config);
    http.setExecutor(connections);
    http.createContext("/", new Routes(config, chat, queue));
    http.start();
    try {
      server.writePortFile();
    } catch (IOException e) {
      server.http.stop(0);
      connections.close();
      throw e;
    }
    queue.start();
    return server;
  }

  public int port() {
    return http.getAddress().getPort();
  }

  /** Waits until the model is loaded; throws what loading it threw. */
  public void awaitReady() throws IOException, InterruptedException {
    queue.awaitReady();
  }

  private void writePortFile() throws IOException {
    Path file = config.portFile();
    if (file == null) {
      return;
    }
    Path absolute = file.toAbsolutePath();
    Path beside = absolute.resolveSibling(absolute.getFileName() + ".tmp");
    Files.write(beside, (port() + "\n").getBytes(StandardCharsets.US_ASCII));
    Files.move(
        beside, absolute, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
  }

  /**
   * Stops: no new requests, up to ten seconds for those under way, then they end at their next
   * token. Returns when the model is closed, or with a warning in the log if its thread goes on for
   * ten more. Idempotent.
   */
  @Override
  public void close() {
    close(GRACE);
  }

  /** As {@link #close()}, with another patience. */
  synchronized void close(Duration grace) {
    if (closed) {
      return;
    }
    closed = true;
    queue.beginStop();
    try {
      http.stop(Math.toIntExact(grace.toSeconds()));
      if (!queue.stop(grace)) {
        LOG.log(
            System.Logger.Level.WARNING,
            "the model''s thread is still at work after {0} ms; its memory is not freed yet",
            grace.toMillis());
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } finally {
      connections.shutdownNow();
      removePortFile();
    }
  }

  private void removePortFile() {
    Path file = config.portFile();
    if (file == null) {
      return;
    }
    try {
      Files.deleteIfExists(file);
    } catch (IOException e) {
      LOG.log(System.Logger.Level.WARNING, "the port file stays behind: " + file, e);
    }
  }
}
