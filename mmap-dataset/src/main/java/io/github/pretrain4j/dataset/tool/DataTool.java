package io.github.pretrain4j.dataset.tool;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.util.Optional;
import java.util.spi.ToolProvider;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ScopeType;

/** {@code p4j-data}: looks into datasets, verifies and mends them, cuts and joins them. */
public final class DataTool implements ToolProvider {
  private static final String NAME = "p4j-data";

  /** Exit status: a file failed, or a dataset is not what it should be. */
  static final int WORLD_FAILED = 1;

  private static final int WRONG_USAGE = 2;
  private static final int BUG = 70;

  /** For the service loader. */
  public DataTool() {}

  @Override
  public String name() {
    return NAME;
  }

  /** One line for the launcher's list; overrides {@code ToolProvider}'s on Java 19 and newer. */
  public Optional<String> description() {
    return Optional.of("Merge, split, verify, repair and describe datasets");
  }

  @Override
  public int run(PrintWriter out, PrintWriter err, String... args) {
    Root root = new Root();
    CommandLine command =
        new CommandLine(root)
            .addSubcommand(new MergeCommand(out))
            .addSubcommand(new SplitCommand(out))
            .addSubcommand(new HeadCommand(out))
            .addSubcommand(new StatsCommand(out))
            .addSubcommand(new VerifyCommand(out))
            .addSubcommand(new RepairCommand(out))
            .addSubcommand(new DumpCommand(out))
            .addSubcommand(new ExplainCommand(out))
            .addSubcommand(new PlanCommand(out))
            .setOut(out)
            .setErr(err)
            .setCaseInsensitiveEnumValuesAllowed(true);
    command.setParameterExceptionHandler((e, all) -> report(err, e, WRONG_USAGE, root));
    command.setExecutionExceptionHandler((e, failed, result) -> report(err, e, exitCode(e), root));
    int code = command.execute(args);
    out.flush();
    err.flush();
    return code;
  }

  private static int exitCode(Exception e) {
    if (e instanceof IOException || e instanceof UncheckedIOException) {
      return WORLD_FAILED;
    }
    return e instanceof IllegalArgumentException ? WRONG_USAGE : BUG;
  }

  /** Java's own exceptions about files often say no more than the file's name. */
  private static String message(Exception e) {
    if (e instanceof UncheckedIOException unchecked && unchecked.getCause() != null) {
      return message(unchecked.getCause());
    }
    if (e instanceof NoSuchFileException missing) {
      return missing.getFile() + ": no such file";
    }
    if (e instanceof FileSystemException file && file.getReason() == null) {
      String what =
          e instanceof AccessDeniedException ? "permission denied" : e.getClass().getSimpleName();
      return file.getFile() + ": " + what;
    }
    return e.getMessage() == null ? e.toString() : e.getMessage();
  }

  private static int report(PrintWriter err, Exception e, int code, Root root) {
    err.println(NAME + ": error: " + (code == BUG ? "a bug: " + e : message(e)));
    if (root.stacktrace || code == BUG) {
      e.printStackTrace(err);
    }
    err.flush();
    return code;
  }

  /** What all sub-commands share. */
  @Command(
      name = NAME,
      mixinStandardHelpOptions = true,
      description = "Describes, verifies, mends, cuts and joins datasets.")
  static final class Root implements Runnable {
    @Option(
        names = "--stacktrace",
        scope = ScopeType.INHERIT,
        description = "Show where an error comes from.")
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
}
