package io.github.pretrain4j.deploy.local;

import io.github.pretrain4j.deploy.Availability;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The words that start a server: the setting {@code server-command}, else {@code bin/p4j serve} of
 * the distribution that the system property {@code p4j.home} or the variable {@code P4J_HOME}
 * names.
 *
 * @param words empty if there is no server
 * @param problem why; null if there is one
 */
record ServerCommand(List<String> words, @Nullable String problem) {
  static final String SETTING = "server-command";
  static final String REMEDY =
      "give --server-command, or set P4J_HOME to the distribution that has bin/p4j";

  static ServerCommand of(
      Map<String, String> settings, @Nullable String property, @Nullable String variable) {
    String setting = settings.get(SETTING);
    if (setting != null) {
      List<String> words = CommandWords.split(setting);
      if (words.isEmpty()) {
        throw new IllegalArgumentException("the server command is empty");
      }
      return new ServerCommand(words, null);
    }
    String home = property != null ? property : variable;
    if (home == null || home.isBlank()) {
      return new ServerCommand(List.of(), "no server command is known");
    }
    boolean windows = java.io.File.separatorChar == '\\';
    Path launcher = Path.of(home, "bin", windows ? "p4j.cmd" : "p4j").toAbsolutePath().normalize();
    if (!Files.isExecutable(launcher)) {
      return new ServerCommand(List.of(), launcher + " is not there or not executable");
    }
    return new ServerCommand(List.of(launcher.toString(), "serve"), null);
  }

  Availability availability() {
    if (problem != null) {
      return new Availability.Unavailable(problem, REMEDY);
    }
    return new Availability.Available(CommandWords.join(words));
  }
}
