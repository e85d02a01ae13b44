package io.github.pretrain4j.deploy;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.spi.ToolProvider;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/**
 * {@code p4j deploy}: deploys a folder; {@code p4j deploy status} and {@code stop} look after what
 * runs. Progress goes to the error writer, the result to the output writer.
 */
public final class DeployTool implements ToolProvider {
  private static final int WORLD_FAILED = 1;
  private static final int WRONG_USAGE = 2;
  private static final int UNAVAILABLE = 3;
  private static final int BUG = 70;
  private static final int INTERRUPTED = 130; // as a shell reports SIGINT

  @Override
  public String name() {
    return "p4j-deploy";
  }

  /** One line for the launcher's list; overrides {@code ToolProvider}'s on Java 19 and newer. */
  public Optional<String> description() {
    return Optional.of("Check a Hugging Face folder, import it as a version and serve it");
  }

  @Override
  public int run(PrintWriter out, PrintWriter err, String... args) {
    Deploy deploy = new Deploy(out, err);
    CommandLine line = new CommandLine(deploy);
    line.addSubcommand(new Status(out));
    line.addSubcommand(new Stop(out, err));
    line.setOut(out).setErr(err);
    line.setParameterExceptionHandler(
        (e, ignored) -> {
          err.println("p4j-deploy: error: " + e.getMessage());
          err.println("p4j-deploy --help shows the options");
          return WRONG_USAGE;
        });
    line.setExecutionExceptionHandler(
        (e, failed, parsed) -> {
          Object command = failed.getCommand();
          return failed(e, ((Options.Holder) command).options(), out, err);
        });
    int code = line.execute(args);
    out.flush();
    err.flush();
    return code;
  }

  private static int failed(Exception e, Options options, PrintWriter out, PrintWriter err) {
    int code = code(e);
    if (e instanceof InterruptedException) {
      Thread.currentThread().interrupt();
    }
    String message = message(e);
    err.println("p4j-deploy: error: " + (code == BUG ? "a bug: " + e : message));
    if (options.stacktrace || code == BUG) {
      e.printStackTrace(err);
    }
    if (options.json) {
      Map<String, Object> failure = new LinkedHashMap<>();
      failure.put("state", code == INTERRUPTED ? DeployState.CANCELLED : DeployState.FAILED);
      failure.put("error", e.getClass().getSimpleName());
      failure.put("message", message);
      if (e instanceof PreflightException preflight) {
        failure.put("preflight", preflight.report());
      }
      out.println(Json.pretty(failure));
    }
    return code;
  }

  /** Java's own exceptions about files often say no more than the file's name. */
  private static String message(Exception e) {
    if (e instanceof UncheckedIOException unchecked && unchecked.getCause() != null) {
      return message(unchecked.getCause());
    }
    if (e instanceof FileSystemException file && file.getReason() == null) {
      String what =
          e instanceof NoSuchFileException
              ? "no such file"
              : e instanceof AccessDeniedException
                  ? "permission denied"
                  : e.getClass().getSimpleName();
      return file.getFile() + ": " + what;
    }
    return e.getMessage() == null ? e.toString() : e.getMessage();
  }

  private static int code(Exception e) {
    if (e instanceof IOException || e instanceof UncheckedIOException) {
      return WORLD_FAILED;
    } else if (e instanceof IllegalArgumentException) {
      return WRONG_USAGE;
    } else if (e instanceof UnavailableException) {
      return UNAVAILABLE;
    } else if (e instanceof InterruptedException) {
      return INTERRUPTED;
    }
    return BUG;
  }

  /** What all three commands need to find a service. */
  static final class Options {
    /** A command that has them. */
    interface Holder {
      Options options();
    }

    @Option(
        names = "--target",
        paramLabel = "TARGET",
        defaultValue = "local",
        description = "where to deploy (default: ${DEFAULT-VALUE})")
    String target = "local";

    @Option(
        names = "--name",
        paramLabel = "NAME",
        description = "the model's name, which requests ask for (required)")
    @Nullable String name;

    @Option(
        names = "--store",
        paramLabel = "DIR",
        description =
            "directory of versions and journals (default: $P4J_STORE, else ~/.pretrain4j/store)")
    @Nullable Path store;

    @Option(
        names = "--server-command",
        paramLabel = "COMMAND",
        description =
            "target local: what starts a server, quoted as for a shell (default: bin/p4j serve of $P4J_HOME)")
    @Nullable String serverCommand;

    @Option(
        names = "--port",
        paramLabel = "PORT",
        description = "target local: port of the server (default: any that is free)")
    @Nullable Integer port;

    @Option(names = "--json", description = "print the result as JSON")
    boolean json;

    @Option(names = "--stacktrace", description = "print the stack trace of an error")
    boolean stacktrace;

    @Option(names = "--help", usageHelp = true, description = "show this text")
    boolean help;

    DeployTarget find() {
      return DeployTargets.load().find(target);
    }

    ServiceReference service() {
      Map<String, String> settings = new LinkedHashMap<>();
      if (serverCommand != null) {
        settings.put("server-command", serverCommand);
      }
      if (port != null) {
        settings.put("port", String.valueOf(port));
      }
      return new ServiceReference(required(name, "--name"), storeDirectory(), settings);
    }

    /**
     * picocli would ask for what only {@code deploy} itself requires in front of {@code status},
     * too.
     */
    static <T> T required(@Nullable T value, String option) {
      if (value == null) {
        throw new IllegalArgumentException("missing option " + option);
      }
      return value;
    }

    private Path storeDirectory() {
      if (store != null) {
        return store;
      }
      String variable = System.getenv("P4J_STORE");
      return variable == null || variable.isBlank()
          ? Path.of(System.getProperty("user.home"), ".pretrain4j", "store")
          : Path.of(variable);
    }
  }

  @Command(
      name = "p4j-deploy",
      description = "Deploys a Hugging Face folder as a new version and asks it something.",
      sortOptions = false)
  static final class Deploy implements Callable<Integer>, Options.Holder {
    private final PrintWriter out;
    private final PrintWriter err;
    @Mixin private final Options options = new Options();

    @Option(
        names = "--model",
        paramLabel = "DIR",
        description = "the Hugging Face folder (required)")
    private @Nullable Path model;

    @Option(
        names = "--prompt",
        paramLabel = "TEXT",
        defaultValue = "Hello",
        description = "what the first request says (default: ${DEFAULT-VALUE})")
    private String prompt = "Hello";

    @Option(
        names = "--max-tokens",
        paramLabel = "N",
        defaultValue = "16",
        description = "how much the first request may answer (default: ${DEFAULT-VALUE})")
    private int maxTokens = 16;

    @Option(
        names = "--mode",
        paramLabel = "MODE",
        description =
            "${COMPLETION-CANDIDATES} (default: CHAT if the tokenizer has a chat template)")
    private @Nullable GenerationMode mode;

    @Option(
        names = "--timeout",
        paramLabel = "SECONDS",
        defaultValue = "300",
        description = "how long the server may take to get ready (default: ${DEFAULT-VALUE})")
    private long timeoutSeconds = 300;

    @Option(
        names = "--request-timeout",
        paramLabel = "SECONDS",
        defaultValue = "120",
        description = "how long the first answer may take (default: ${DEFAULT-VALUE})")
    private long requestTimeoutSeconds = 120;

    @Option(
        names = "--transformers",
        paramLabel = "VERSION",
        description = "release of transformers that will load the folder, such as 4.39.3")
    private @Nullable String transformers;

    @Option(
        names = "--preflight-only",
        description = "only inspect the folder; nothing is imported or started")
    private boolean preflightOnly;

    Deploy(PrintWriter out, PrintWriter err) {
      this.out = out;
      this.err = err;
    }

    @Override
    public Options options() {
      return options;
    }

    @Override
    public Integer call() throws IOException, InterruptedException {
      DeployRequest request =
          new DeployRequest(
              options.service(),
              Options.required(model, "--model"),
              mode,
              prompt,
              maxTokens,
              Duration.ofSeconds(timeoutSeconds),
              Duration.ofSeconds(requestTimeoutSeconds),
              transformers);
      if (preflightOnly) {
        return preflight(request);
      }
      DeployReport report = DeployFlow.run(options.find(), request, new Printer(err));
      if (options.json) {
        out.println(report.toJson());
      } else {
        out.println(
            report.name()
                + " "
                + report.version().label()
                + " serves at "
                + report.endpoint().base());
        out.println("  prompt: " + report.firstAnswer().prompt());
        out.println("  answer: " + report.firstAnswer().answer());
      }
      return 0;
    }

    private int preflight(DeployRequest request) throws IOException {
      PreflightReport report = DeployFlow.preflight(options.find(), request);
      if (report.hasErrors()) {
        throw new PreflightException(report);
      }
      if (options.json) {
        out.println(Json.pretty(report));
      } else {
        out.println(
            report.directory()
                + ": "
                + report.files().size()
                + " files, "
                + report.totalBytes()
                + " bytes, no errors");
        report.findings().forEach(finding -> out.println("  " + finding));
      }
      return 0;
    }
  }

  @Command(name = "status", description = "Shows what runs, and the versions there are.")
  static final class Status implements Callable<Integer>, Options.Holder {
    private final PrintWriter out;
    @Mixin private final Options options = new Options();

    Status(PrintWriter out) {
      this.out = out;
    }

    @Override
    public Options options() {
      return options;
    }

    @Override
    public Integer call() throws IOException, InterruptedException {
      print(options.find().status(options.service()), options, out);
      return 0;
    }
  }

  @Command(name = "stop", description = "Stops the service; its versions stay.")
  static final class Stop implements Callable<Integer>, Options.Holder {
    private final PrintWriter out;
    private final PrintWriter err;
    @Mixin private final Options options = new Options();

    Stop(PrintWriter out, PrintWriter err) {
      this.out = out;
      this.err = err;
    }

    @Override
    public Options options() {
      return options;
    }

    @Override
    public Integer call() throws IOException, InterruptedException {
      print(options.find().stop(options.service(), new Printer(err)), options, out);
      return 0;
    }
  }

  private static void print(ServiceStatus status, Options options, PrintWriter out) {
    if (options.json) {
      out.println(status.toJson());
      return;
    }
    Endpoint endpoint = status.endpoint();
    out.println(
        status.name()
            + ": "
            + status.health()
            + (endpoint == null ? "" : " " + status.version() + " at " + endpoint.base())
            + ", versions "
            + status.versions());
    if (status.lastFailure() != null) {
      out.println("  last failure: " + status.lastFailure());
    }
  }

  /** Progress as lines; bytes about once a second. */
  private static final class Printer implements ProgressListener {
    private static final long INTERVAL_NANOS = 1_000_000_000;
    private final PrintWriter err;
    private final long startNanos = System.nanoTime();
    private long lastNanos = startNanos;

    Printer(PrintWriter err) {
      this.err = err;
    }

    @Override
    public void message(String step, String message) {
      err.println("p4j-deploy: " + step + ": " + message);
      err.flush();
    }

    @Override
    public void bytes(String step, long done, long total) {
      long now = System.nanoTime();
      if (now - lastNanos >= INTERVAL_NANOS) {
        lastNanos = now;
        double seconds = (now - startNanos) / 1e9;
        message(
            step,
            "%d of %d MiB, %.0f MiB/s, %.0f s left"
                .formatted(
                    done >> 20,
                    total >> 20,
                    done / seconds / (1 << 20),
                    (total - done) * seconds / done));
      }
    }
  }
}
