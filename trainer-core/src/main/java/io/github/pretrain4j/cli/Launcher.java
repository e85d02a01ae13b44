package io.github.pretrain4j.cli;

import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.ServiceConfigurationError;
import java.util.ServiceLoader;
import java.util.TreeMap;
import java.util.spi.ToolProvider;
import org.jspecify.annotations.Nullable;

/**
 * Runs one step by name. A step is a {@link ToolProvider} whose name starts with {@code p4j-}; it
 * is called with or without that prefix. Knows no step itself, so that a jar on the class path is
 * all it takes to add one.
 */
public final class Launcher {

  private static final String PREFIX = "p4j-";

  private static final String SEE_HELP = "See 'p4j help'.";

  /** Steps by full name; sorted, so that help does not depend on the class path's order. */
  private final Map<String, ToolProvider> tools = new TreeMap<>();

  /**
   * @throws IllegalArgumentException if two steps have one name
   */
  public Launcher(List<ToolProvider> providers) {
    for (ToolProvider provider : providers) {
      ToolProvider other = tools.put(provider.name(), provider);
      if (other != null) {
        throw new IllegalArgumentException(
            "two steps are named %s: %s and %s"
                .formatted(
                    provider.name(), other.getClass().getName(), provider.getClass().getName()));
      }
    }
  }

  /**
   * The steps on the class path. One that cannot be loaded is named on {@code err}; the others
   * still run.
   */
  public static Launcher ofClassPath(PrintWriter err) {
    List<ToolProvider> found = new ArrayList<>();
    Iterator<ToolProvider> providers = ServiceLoader.load(ToolProvider.class).iterator();
    while (true) {
      try {
        if (!providers.hasNext()) {
          return new Launcher(found);
        }
        ToolProvider provider = providers.next();
        if (provider.name().startsWith(PREFIX)) {
          found.add(provider);
        }
      } catch (ServiceConfigurationError e) {
        err.println("p4j: warning: a step would not load: " + e.getMessage());
      }
    }
  }

  /** Runs {@code arguments[0]} with the rest and returns the exit code. */
  public int run(PrintWriter out, PrintWriter err, String... arguments) {
    if (arguments.length == 0) {
      printSteps(err);
      return ExitCode.USAGE;
    }
    String[] rest = Arrays.copyOfRange(arguments, 1, arguments.length);
    return switch (arguments[0]) {
      case "help", "--help", "-h" -> help(out, err, rest);
      case "version", "--version", "-V" -> version(out);
      default -> {
        ToolProvider tool = find(arguments[0]);
        yield tool == null ? unknown(arguments[0], err) : run(tool, out, err, rest);
      }
    };
  }

  private static int run(ToolProvider tool, PrintWriter out, PrintWriter err, String... arguments) {
    try {
      return tool.run(out, err, arguments);
    } catch (RuntimeException | Error e) { // what the step let through: nobody above reports it
      return ToolErrors.report(tool.name(), e, false, err);
    } finally {
      out.flush();
      err.flush();
    }
  }

  private int help(PrintWriter out, PrintWriter err, String... arguments) {
    if (arguments.length == 0) {
      printSteps(out);
      return ExitCode.OK;
    }
    ToolProvider tool = find(arguments[0]);
    return tool == null ? unknown(arguments[0], err) : run(tool, out, err, "--help");
  }

  private static int version(PrintWriter out) {
    out.printf(
        "p4j %s, Java %s (%s), %s %s%n",
        Optional.ofNullable(Launcher.class.getPackage().getImplementationVersion())
            .orElse("development"),
        Runtime.version(),
        System.getProperty("java.vm.name"),
        System.getProperty("os.name"),
        System.getProperty("os.arch"));
    return ExitCode.OK;
  }

  private void printSteps(PrintWriter out) {
    out.println("Usage: p4j <step> [options]       p4j help <step>       p4j version");
    out.println();
    out.println("Steps:");
    int width = tools.keySet().stream().mapToInt(String::length).max().orElse(0) - PREFIX.length();
    tools.forEach(
        (name, tool) ->
            out.println(
                ("  %-" + Math.max(1, width) + "s  %s")
                    .formatted(shortName(name), tool.description().orElse(""))
                    .stripTrailing()));
    out.println();
    out.println(
        "Every step explains itself with --help. P4J_JAVA_OPTIONS adds JVM options (-Xmx8g).");
  }

  private @Nullable ToolProvider find(String name) {
    return tools.get(name.startsWith(PREFIX) ? name : PREFIX + name);
  }

  private int unknown(String name, PrintWriter err) {
    List<String> near = nearest(name);
    err.printf(
        "p4j: error: no step '%s'%s %s%n",
        name, near.isEmpty() ? "." : "; did you mean " + String.join(" or ", near) + "?", SEE_HELP);
    return ExitCode.USAGE;
  }

  private List<String> nearest(String name) {
    String wanted = shortName(name);
    int limit = Math.max(2, wanted.length() / 3);
    return tools.keySet().stream()
        .map(Launcher::shortName)
        .filter(
            candidate -> candidate.startsWith(wanted) || editDistance(candidate, wanted) <= limit)
        .sorted(
            Comparator.<String>comparingInt(candidate -> editDistance(candidate, wanted))
                .thenComparing(Comparator.naturalOrder()))
        .limit(3)
        .toList();
  }

  private static String shortName(String name) {
    return name.startsWith(PREFIX) ? name.substring(PREFIX.length()) : name;
  }

  /** Levenshtein's distance, one row at a time. */
  static int editDistance(String a, String b) {
    int[] row = new int[b.length() + 1];
    Arrays.setAll(row, j -> j);
    for (int i = 1; i <= a.length(); i++) {
      int diagonal = row[0];
      row[0] = i;
      for (int j = 1; j <= b.length(); j++) {
        int replace = diagonal + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
        diagonal = row[j];
        row[j] = Math.min(replace, 1 + Math.min(diagonal, row[j - 1]));
      }
    }
    return row[b.length()];
  }
}
