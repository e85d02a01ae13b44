package io.github.pretrain4j.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.util.Optional;
import java.util.spi.ToolProvider;
import picocli.CommandLine;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;

/**
 * What this module's steps share: declare options, parse them, map every outcome to an exit code.
 * Stateless, hence thread-safe, as {@link ToolProvider} asks.
 */
abstract class CommandLineTool implements ToolProvider {

  private final String name;
  private final String description;

  CommandLineTool(String name, String description) {
    this.name = name;
    this.description = description;
  }

  @Override
  public final String name() {
    return name;
  }

  @Override
  public final Optional<String> description() {
    return Optional.of(description);
  }

  /** Adds this step's options and positional parameters. */
  abstract void declare(CommandSpec spec);

  /**
   * Does the work and returns the exit code. What it throws becomes an error line: {@link
   * IOException} 1, {@link IllegalArgumentException} 2, an {@code UnavailableException} 3, anything
   * else 70.
   */
  abstract int run(ParseResult options, PrintWriter out, PrintWriter err)
      throws IOException, InterruptedException;

  @Override
  public final int run(PrintWriter out, PrintWriter err, String... arguments) {
    CommandSpec spec = CommandSpec.create().name(name.replaceFirst("^p4j-", "p4j "));
    spec.usageMessage()
        .description(description)
        .width(100)
        .sortOptions(false)
        .abbreviateSynopsis(true);
    declare(spec);
    spec.addOption(
        OptionSpec.builder("--stacktrace").description("show where an error came from").build());
    spec.addOption(
        OptionSpec.builder("-h", "--help")
            .usageHelp(true)
            .description("show this and stop")
            .build());
    CommandLine commandLine = new CommandLine(spec).setUnmatchedArgumentsAllowed(false);
    ParseResult options;
    try {
      options = commandLine.parseArgs(arguments);
    } catch (ParameterException e) {
      err.printf("%s: error: %s%n", name, e.getMessage());
      CommandLine.UnmatchedArgumentException.printSuggestions(e, err);
      err.printf("See '%s --help'.%n", spec.name());
      return ExitCode.USAGE;
    }
    if (options.isUsageHelpRequested()) {
      commandLine.usage(out);
      return ExitCode.OK;
    }
    try {
      return run(options, out, err);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      err.printf("%s: error: interrupted%n", name);
      return ExitCode.WORLD;
    } catch (IOException
        | RuntimeException
        | Error e) { // the outermost frame: nothing above could report it better
      return ToolErrors.report(name, e, options.hasMatchedOption("--stacktrace"), err);
    } finally {
      out.flush();
      err.flush();
    }
  }

  /** An option with one value; the description ends with the default where there is one. */
  static OptionSpec.Builder option(String name, Class<?> type, String label, String text) {
    return OptionSpec.builder(name).type(type).paramLabel(label).description(text);
  }
}
