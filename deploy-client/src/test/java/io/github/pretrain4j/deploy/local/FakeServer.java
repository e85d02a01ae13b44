package io.github.pretrain4j.deploy.local;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * A process with the command line and the answers of {@code p4j serve}, and no model: its answer is
 * the name of the version it was given and the length of the request. A file {@code fake-mode.txt}
 * in the model's folder makes it misbehave.
 */
public final class FakeServer {
  static final String MODE_FILE = "fake-mode.txt";

  private FakeServer() {}

  /** What starts one, for the setting {@code server-command}. */
  public static String command() {
    return CommandWords.join(
        List.of(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-XX:TieredStopAtLevel=1",
            "-XX:+UseSerialGC",
            "-Xmx32m",
            "-cp",
            Path.of("target", "test-classes").toAbsolutePath().toString(),
            FakeServer.class.getName()));
  }

  public static void main(String[] args) throws Exception {
    Map<String, String> options = new HashMap<>();
    for (int i = 0; i + 1 < args.length; i += 2) {
      options.put(args[i], args[i + 1]);
    }
    Path model = Path.of(option(options, "--model"));
    Path modeFile = model.resolve(MODE_FILE);
    String mode = Files.exists(modeFile) ? Files.readString(modeFile).strip() : "";
    System.out.println("fake server of " + model + ", mode '" + mode + "'");
    switch (mode) {
      case "die" -> {
        System.err.println("cannot read tensor 7");
        System.exit(7);
      }
      case "silent" -> Thread.sleep(600_000);
      default -> {}
    }
    int port = Integer.parseInt(option(options, "--port"));
    HttpServer server =
        HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 0);
    AtomicInteger healthCalls = new AtomicInteger();
    server.createContext(
        "/health",
        exchange -> {
          int call = healthCalls.incrementAndGet();
          boolean ready = !mode.equals("unhealthy") && (!mode.equals("slow") || call > 3);
          if (mode.equals("die-later")) {
            System.err.println("out of memory");
            System.exit(8);
          }
          answer(exchange, ready ? 200 : 503, "{}");
        });
    String version = String.valueOf(model.getName(model.getNameCount() - 2));
    server.createContext(
        "/v1/completions", exchange -> generate(exchange, mode, version, "\"text\": \"%s\""));
    server.createContext(
        "/v1/chat/completions",
        exchange ->
            generate(
                exchange,
                mode,
                version,
                "\"message\": {\"role\": \"assistant\", \"content\": \"%s\"}"));
    server.start();
    writePort(
        Path.of(option(options, "--port-file")),
        mode.equals("bad-port") ? "many" : String.valueOf(server.getAddress().getPort()));
  }

  private static String option(Map<String, String> options, String name) {
    String value = options.get(name);
    if (value == null) {
      throw new IllegalArgumentException("no " + name);
    }
    return value;
  }

  private static void writePort(Path file, String port) throws IOException {
    Path beside = file.resolveSibling(file.getFileName() + ".tmp");
    Files.writeString(beside, port + "\n");
    Files.move(beside, file, StandardCopyOption.ATOMIC_MOVE);
  }

  private static void generate(HttpExchange exchange, String mode, String version, String form)
      throws IOException {
    int length = exchange.getRequestBody().readAllBytes().length;
    if (mode.equals("broken")) {
      answer(
          exchange, 500, "{\"error\": {\"code\": \"overflow\", \"message\": \"logits are NaN\"}}");
      return;
    }
    String choice = form.formatted(version + " heard " + length + " bytes");
    answer(
        exchange,
        200,
        "{\"id\": \"1\", \"model\": \"m\", \"choices\": [{"
            + choice
            + ", \"finish_reason\": \"stop\"}], \"usage\": {\"prompt_tokens\": 3, \"completion_tokens\": 5}}");
  }

  private static void answer(HttpExchange exchange, int status, String body) throws IOException {
    byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
    exchange.sendResponseHeaders(status, bytes.length);
    exchange.getResponseBody().write(bytes);
    exchange.close();
  }

  /** The live fake servers that were given a model under {@code store}. */
  static List<ProcessHandle> running(Path store) {
    List<ProcessHandle> found = new ArrayList<>();
    ProcessHandle.allProcesses()
        .filter(
            process ->
                process
                    .info()
                    .arguments()
                    .map(
                        arguments ->
                            List.of(arguments).contains(FakeServer.class.getName())
                                && List.of(arguments).stream()
                                    .anyMatch(a -> a.startsWith(store.toString())))
                    .orElse(false))
        .forEach(found::add);
    return found;
  }
}
