package io.github.pretrain4j.deploy;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.spi.ToolProvider;
import org.junit.jupiter.api.Test;

/** The edges between this module's packages, as the class files have them. */
class StructureTest {
  private static final Pattern EDGE =
      Pattern.compile(
          "^\\s+(io\\.github\\.pretrain4j[\\w.]*)\\s+->\\s+(io\\.github\\.pretrain4j[\\w.]*)\\s.*");

  @Test
  void onlyThePluginImportsAndOnlyItsSpi() {
    StringWriter output = new StringWriter();
    ToolProvider jdeps = ToolProvider.findFirst("jdeps").orElseThrow();
    int code =
        jdeps.run(
            new PrintWriter(output),
            new PrintWriter(output),
            "-v", // class by class: the short form prints packages of jars only
            "-e",
            "io\\.github\\.pretrain4j.*",
            Path.of("target/classes").toString());
    assertEquals(0, code, output::toString);
    SortedSet<String> edges = new TreeSet<>();
    output
        .toString()
        .lines()
        .map(EDGE::matcher)
        .filter(Matcher::matches)
        .forEach(
            edge -> {
              String from = packageOf(edge.group(1));
              String to = packageOf(edge.group(2));
              if (!from.equals(to)) {
                edges.add(from + " → " + to);
              }
            });
    assertEquals(new TreeSet<>(java.util.Set.of("deploy.local → deploy")), edges);
  }

  private static String packageOf(String className) {
    String inBase = className.substring("io.github.pretrain4j.".length());
    return inBase.substring(0, inBase.lastIndexOf('.'));
  }
}
