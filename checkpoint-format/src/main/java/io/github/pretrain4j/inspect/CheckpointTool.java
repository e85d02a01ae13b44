package io.github.pretrain4j.inspect;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.spi.ToolProvider;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ScopeType;

/** {@code p4j-checkpoint}: lists checkpoints, compares two, verifies one. */
public final class CheckpointTool implements ToolProvider {
  private static final String NAME = "p4j-checkpoint";

  /** A file failed, two checkpoints differ, or one is not sound. */
  private static final int EXIT_WORLD = 1;

  private static final int EXIT_USAGE = 2;
  private static final int EXIT_BUG = 70;

  /** For the service loader. */
  public CheckpointTool() {}

  @Override
  public String name() {
    return NAME;
  }

  /** One line for the launcher's list; overrides {@code ToolProvider}'s on Java 19 and newer. */
  public Optional<String> description() {
    return Optional.of("List, compare and verify checkpoints of any format");
  }

  @Override
  public int run(PrintWriter out, PrintWriter err, String... args) {
    Root root = new Root();
    CommandLine line =
        new CommandLine(root)
            .addSubcommand(new Inspect(out))
            .addSubcommand(new Diff(out))
            .addSubcommand(new Verify(out))
            .setOut(out)
            .setErr(err);
    line.setParameterExceptionHandler((e, all) -> report(err, e, EXIT_USAGE, root));
    line.setExecutionExceptionHandler((e, failed, result) -> report(err, e, exitCode(e), root));
    int code = line.execute(args);
    out.flush();
    err.flush();
    return code;
  }

  private static int exitCode(Exception e) {
    return e instanceof IOException || e instanceof UncheckedIOException
        ? EXIT_WORLD
        : e instanceof IllegalArgumentException ? EXIT_USAGE : EXIT_BUG;
  }

  private static int report(PrintWriter err, Exception e, int code, Root root) {
    err.println(NAME + ": error: " + (code == EXIT_BUG ? "a bug: " + e : message(e)));
    if (root.stacktrace || code == EXIT_BUG) {
      e.printStackTrace(err);
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

  @Command(
      name = NAME,
      mixinStandardHelpOptions = true,
      description =
          "Lists, compares and verifies checkpoints: Hugging Face directories, Megatron checkpoints or one of their"
              + " iterations, single safetensors and torch files.")
  private static final class Root implements Runnable {
    @Option(
        names = "--stacktrace",
        scope = ScopeType.INHERIT,
        description = "show where an error arose")
    boolean stacktrace;

    @CommandLine.Spec @Nullable CommandSpec spec;

    @Override
    public void run() {
      if (spec != null) {
        throw new CommandLine.ParameterException(
            spec.commandLine(),
            "which one: " + String.join(", ", spec.subcommands().keySet()) + "?");
      }
    }
  }

  /** What all sub-commands share. */
  private abstract static class Shared implements Callable<Integer> {
    private final PrintWriter out;

    @Option(names = "--json", description = "print JSON, with everything")
    private boolean json;

    @Option(names = "--workers", description = "reading threads (default: one per processor)")
    private int workers = Runtime.getRuntime().availableProcessors();

    Shared(PrintWriter out) {
      this.out = out;
    }

    int workers() {
      if (workers < 1) {
        throw new IllegalArgumentException("--workers " + workers + ": expected 1 or more");
      }
      return workers;
    }

    boolean json() {
      return json;
    }

    int print(String report, boolean well) {
      out.print(report);
      return well ? 0 : EXIT_WORLD;
    }

    static Path given(@Nullable Path path) {
      if (path == null) {
        throw new IllegalStateException("picocli insists on parameters");
      }
      return path;
    }
  }

  @Command(
      name = "inspect",
      mixinStandardHelpOptions = true,
      description =
          "Lists the tensors: names, types, shapes, files; with --scan also their SHA-256, range, NaNs and infinities.")
  private static final class Inspect extends Shared {
    @Parameters(paramLabel = "CHECKPOINT")
    private @Nullable Path path;

    @Option(names = "--scan", description = "read all data")
    private boolean scan;

    Inspect(PrintWriter out) {
      super(out);
    }

    @Override
    public Integer call() throws IOException {
      CheckpointContents contents = CheckpointContents.read(given(path), scan, workers());
      return print(json() ? contents.toJson() : contents.toText(), true);
    }
  }

  @Command(
      name = "diff",
      mixinStandardHelpOptions = true,
      description =
          "Compares all tensors of two checkpoints, whatever their formats, layouts and types. Exit status 1 if they"
              + " differ.")
  private static final class Diff extends Shared {
    @Parameters(index = "0", paramLabel = "LEFT")
    private @Nullable Path left;

    @Parameters(index = "1", paramLabel = "RIGHT")
    private @Nullable Path right;

    @Option(
        names = "--tolerance",
        description = "largest absolute difference that still counts as equal (default 0)")
    private double tolerance;

    Diff(PrintWriter out) {
      super(out);
    }

    @Override
    public Integer call() throws IOException {
      if (!(tolerance >= 0)) {
        throw new IllegalArgumentException("--tolerance " + tolerance + ": expected 0 or more");
      }
      CheckpointDifference difference =
          CheckpointDifference.between(given(left), given(right), tolerance, workers());
      return print(json() ? difference.toJson() : difference.toText(), difference.isEqual());
    }
  }

  @Command(
      name = "verify",
      mixinStandardHelpOptions = true,
      description =
          "Reads all of a checkpoint and checks structure, checksums, completeness, replicas and values. Exit status 1"
              + " if it is not sound.")
  private static final class Verify extends Shared {
    @Parameters(paramLabel = "CHECKPOINT")
    private @Nullable Path path;

    @Option(
        names = "--reference",
        description =
            "a Hugging Face directory whose config.json says what the model should be; needed for Megatron's own"
                + " checkpoints, which do not name their family")
    private @Nullable Path reference;

    Verify(PrintWriter out) {
      super(out);
    }

    @Override
    public Integer call() throws IOException {
      CheckpointVerification verification =
          CheckpointVerification.of(given(path), reference, workers());
      return print(json() ? verification.toJson() : verification.toText(), verification.isSound());
    }
  }
}
