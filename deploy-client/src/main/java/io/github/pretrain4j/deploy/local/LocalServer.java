package io.github.pretrain4j.deploy.local;

import io.github.pretrain4j.deploy.DeployContext;
import io.github.pretrain4j.deploy.DeployException;
import io.github.pretrain4j.deploy.DeployJournal;
import io.github.pretrain4j.deploy.DeployTimeoutException;
import io.github.pretrain4j.deploy.Endpoint;
import io.github.pretrain4j.deploy.OpenAiClient;
import io.github.pretrain4j.deploy.ProgressListener;
import io.github.pretrain4j.deploy.ServiceFailedException;
import io.github.pretrain4j.deploy.ServiceReference;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.TreeMap;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/** The server processes of one service during one flow: start, wait, switch over, give up. */
final class LocalServer {
  static final String SERVING = "serving";
  static final String CANDIDATE = "candidate";
  static final String RETIRED = "retired";
  static final Duration HEALTH_TIMEOUT = Duration.ofSeconds(5);
  private static final long MAX_POLL_MILLIS = 500;

  private final DeployContext context;
  private final ServiceReference service;
  private final DeployJournal journal;

  LocalServer(DeployContext context) {
    this.context = context;
    this.service = context.request().service();
    this.journal = context.journal();
  }

  static OpenAiClient client(URI base, Duration requestTimeout) {
    return new OpenAiClient(
        new OpenAiClient.Config(base, null, Duration.ofSeconds(5), requestTimeout));
  }

  static Endpoint endpoint(String model, ServerRecord server) {
    return new Endpoint(base(server), model, new TreeMap<>(LocalTarget.details(server)));
  }

  private static URI base(ServerRecord server) {
    return URI.create("http://127.0.0.1:" + server.port());
  }

  /** Leaves a healthy server of the context's version, the running one if it is that. */
  void start() throws IOException, InterruptedException {
    end(journal, RETIRED, context.progress());
    int port = requestedPort(service);
    List<String> command = LocalTarget.command(service).words();
    ServerRecord serving = journal.get(SERVING, ServerRecord.class);
    if (serving != null && usable(serving, command, port) && healthy(serving)) {
      end(journal, CANDIDATE, context.progress());
      report(serving, "is running already");
      return;
    }
    ServerRecord candidate = journal.get(CANDIDATE, ServerRecord.class);
    try {
      Process child = null;
      if (candidate == null || !usable(candidate, command, port)) {
        end(journal, CANDIDATE, context.progress());
        checkPort(port, serving);
        candidate = intend(command, port);
        child = launch(candidate);
        candidate = candidate.started(child.pid(), ServerProcesses.startMillis(child.toHandle()));
        journal.put(CANDIDATE, candidate);
      }
      report(awaitReady(candidate, child), "is ready");
    } catch (IOException | InterruptedException | RuntimeException e) {
      abandonCandidate(e);
      throw e;
    }
  }

  static int requestedPort(ServiceReference service) {
    String text = service.settings().getOrDefault("port", "0");
    int port;
    try {
      port = Integer.parseInt(text);
    } catch (NumberFormatException e) {
      throw new IllegalArgumentException("port is not a number: " + text, e);
    }
    if (port < 0 || port > 65535) {
      throw new IllegalArgumentException("port must be 0 to 65535: " + port);
    }
    return port;
  }

  /** Whether {@code server} is alive and what this flow would have started. */
  private boolean usable(ServerRecord server, List<String> command, int port) {
    return server.version().equals(context.version().label())
        && server.command().equals(command)
        && server.requestedPort() == port
        && ServerProcesses.find(server).isPresent();
  }

  private static boolean healthy(ServerRecord server) throws InterruptedException {
    return server.port() != 0 && client(base(server), HEALTH_TIMEOUT).healthy();
  }

  /** A fixed port must be free, or the new server would die, or worse, another one would answer. */
  private void checkPort(int port, @Nullable ServerRecord serving) throws IOException {
    if (port == 0) {
      return;
    }
    try (ServerSocket probe = new ServerSocket()) {
      probe.setReuseAddress(true); // as servers do: a port in TIME_WAIT is free
      probe.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
    } catch (IOException e) {
      boolean ours =
          serving != null && serving.port() == port && ServerProcesses.find(serving).isPresent();
      throw new DeployException(
          "port "
              + port
              + (ours
                  ? " is held by the running "
                      + (serving == null ? "" : serving.version())
                      + " of this service; a new version needs a port of its own: leave the port open (0) or stop the service first"
                  : " is in use by another program"),
          e);
    }
  }

  /** Notes what is about to be started, so that it can be found again whatever happens next. */
  private ServerRecord intend(List<String> command, int port) throws IOException {
    String version = context.version().label();
    String token = UUID.randomUUID().toString();
    Path logs = Files.createDirectories(service.directory().resolve("logs"));
    Path run = Files.createDirectories(service.directory().resolve("run"));
    ServerRecord record =
        new ServerRecord(
            version,
            command,
            port,
            token,
            logs.resolve(version + "-" + token.substring(0, 8) + ".log").toString(),
            run.resolve(token + ".port").toString(),
            0,
            0,
            0);
    journal.put(CANDIDATE, record);
    return record;
  }

  private Process launch(ServerRecord server) throws IOException {
    List<String> words = new ArrayList<>(server.command());
    words.addAll(
        List.of(
            "--model",
            context.version().id(),
            "--port",
            String.valueOf(server.requestedPort()),
            "--port-file",
            server.portFile(),
            "--model-name",
            service.name()));
    try {
      Process process =
          new ProcessBuilder(words)
              .redirectErrorStream(true)
              .redirectOutput(Path.of(server.log()).toFile())
              .start();
      process.getOutputStream().close();
      context
          .progress()
          .message(
              "start", server.version() + ": process " + process.pid() + ", log " + server.log());
      return process;
    } catch (IOException e) {
      throw new DeployException(
          "the server cannot be started: " + CommandWords.join(words) + ": " + e.getMessage(), e);
    }
  }

  /** Waits for the port file, then for {@code /health}; returns the record with its port. */
  private ServerRecord awaitReady(ServerRecord started, @Nullable Process child)
      throws IOException, InterruptedException {
    ServerRecord server = started;
    Duration timeout = context.request().readyTimeout();
    long start = System.nanoTime();
    long pollMillis = 20;
    while (true) {
      checkAlive(server, child);
      if (server.port() == 0) {
        int port = port(Path.of(server.portFile()));
        if (port != 0) {
          Optional<ProcessHandle> process = ServerProcesses.find(server);
          if (server.pid() == 0 && process.isPresent()) {
            ProcessHandle found = process.get();
            server = server.started(found.pid(), ServerProcesses.startMillis(found));
          }
          server = server.listening(port);
          journal.put(CANDIDATE, server);
        }
      }
      if (healthy(server)) {
        checkAlive(server, child); // so that no other program has answered on that port
        return server;
      }
      if (System.nanoTime() - start > timeout.toNanos()) {
        String lines = String.join("\n    ", ServerProcesses.lastLines(Path.of(server.log())));
        throw new DeployTimeoutException(
            "start of " + server.version(),
            timeout,
            (server.port() == 0
                    ? "; it named no port"
                    : "; /health on port " + server.port() + " is not 200")
                + "; log "
                + server.log()
                + (lines.isEmpty() ? " is empty" : " ends:\n    " + lines));
      }
      Thread.sleep(pollMillis);
      pollMillis = Math.min(MAX_POLL_MILLIS, pollMillis * 2);
    }
  }

  private static void checkAlive(ServerRecord server, @Nullable Process child) throws IOException {
    boolean alive = child == null ? ServerProcesses.find(server).isPresent() : child.isAlive();
    if (!alive) {
      throw new ServiceFailedException(
          "the server of " + server.version() + " ended before it was ready",
          child == null ? OptionalInt.empty() : OptionalInt.of(child.exitValue()),
          server.log(),
          ServerProcesses.lastLines(Path.of(server.log())));
    }
  }

  /**
   * The port in a port file; 0 while there is none. A number without its line feed may be half of
   * one.
   */
  private static int port(Path file) throws IOException {
    String text;
    try {
      text = Files.readString(file, StandardCharsets.US_ASCII);
    } catch (NoSuchFileException e) {
      return 0;
    }
    if (!text.endsWith("\n")) {
      return 0;
    }
    try {
      int port = Integer.parseInt(text.strip());
      if (port > 0 && port <= 65535) {
        return port;
      }
    } catch (NumberFormatException e) {
      throw new DeployException(file + ": expected a port number, found '" + text.strip() + "'", e);
    }
    throw new DeployException(file + ": expected a port number, found " + text.strip());
  }

  private void report(ServerRecord server, String what) {
    context.serving(endpoint(service.name(), server));
    context.progress().message("start", server.version() + " " + what + " at " + base(server));
  }

  /** The candidate has proved itself: it becomes the serving one, and the one before is stopped. */
  void switchOver() throws IOException, InterruptedException {
    ServerRecord candidate = journal.get(CANDIDATE, ServerRecord.class);
    if (candidate == null) {
      return; // the serving one was asked
    }
    ServerRecord serving = journal.get(SERVING, ServerRecord.class);
    if (serving == null) {
      journal.update(Map.of(SERVING, candidate), Set.of(CANDIDATE));
    } else {
      journal.update(Map.of(SERVING, candidate, RETIRED, serving), Set.of(CANDIDATE));
      end(journal, RETIRED, context.progress());
    }
    context.progress().message("switch", candidate.version() + " is in service");
  }

  /** Stops a candidate that failed; the serving one is left as it is. */
  void abandonCandidate(Exception cause) {
    boolean interrupted =
        Thread.interrupted(); // ending a process waits, which must not be cut short
    try {
      end(journal, CANDIDATE, ProgressListener.NONE);
    } catch (IOException | RuntimeException e) {
      cause.addSuppressed(e);
    } catch (InterruptedException e) {
      interrupted = true;
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  /** Ends the process noted under {@code key}, if it is still there, and forgets it. */
  static void end(DeployJournal journal, String key, ProgressListener progress)
      throws IOException, InterruptedException {
    ServerRecord server = journal.get(key, ServerRecord.class);
    if (server == null) {
      return;
    }
    Optional<ProcessHandle> process = ServerProcesses.find(server);
    if (process.isPresent()) {
      ServerProcesses.end(process.get());
      progress.message("stop", server.version() + ": process " + process.get().pid() + " stopped");
    }
    Files.deleteIfExists(Path.of(server.portFile()));
    journal.update(Map.of(), Set.of(key));
  }
}
