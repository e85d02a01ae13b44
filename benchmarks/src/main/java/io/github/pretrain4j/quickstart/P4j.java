package io.github.pretrain4j.quickstart;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;

/** Runs {@code p4j} command lines from the distribution in one directory, as a user would. */
final class P4j {
  private final Path home;
  private final Path directory;
  private final PrintStream out;

  P4j(Path home, Path directory, PrintStream out) {
    this.home = home;
    this.directory = directory;
    this.out = out;
  }

  /** The same launcher in another directory. */
  P4j in(Path other) {
    return new P4j(home, other, out);
  }

  /**
   * Runs {@code p4j arguments...} to its end and returns what it printed.
   *
   * <p>Standard output goes to {@code log}; standard error, where the command shows its progress,
   * is the caller's.
   *
   * @throws IOException if it ends with another status than 0
   */
  String run(Path log, List<String> arguments) throws IOException, InterruptedException {
    int status = start(log, arguments).waitFor();
    if (status != 0) {
      throw new IOException(
          "p4j " + arguments.get(0) + " ended with status " + status + "; see " + log);
    }
    return Files.readString(log);
  }

  /** Starts {@code p4j arguments...}, its standard output going to {@code log}. */
  Process start(Path log, List<String> arguments) throws IOException {
    out.println("  $ p4j " + arguments.stream().map(P4j::quoted).collect(Collectors.joining(" ")));
    List<String> command = new ArrayList<>();
    command.add(home.resolve("bin/p4j").toString());
    command.addAll(arguments);
    return new ProcessBuilder(command)
        .directory(directory.toFile())
        .redirectOutput(log.toFile())
        .redirectError(ProcessBuilder.Redirect.INHERIT)
        .start();
  }

  private static String quoted(String argument) {
    return argument.matches("[\\w@%+=:,./-]+")
        ? argument
        : "'" + argument.replace("\n", "\\n").replace("'", "'\\''") + "'";
  }
}
