package io.github.pretrain4j;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.spi.ToolProvider;
import org.junit.jupiter.api.Test;

/**
 * The packages of this module and who may import whom, checked on the compiled classes by {@code
 * jdeps}.
 *
 * <p>An arrow reaches all that lies behind it: {@code train} may import {@code nn}, so also {@code
 * tensor} and {@code backend}. A plugin sees its interface and is imported by nobody. Add a package
 * or an edge knowingly.
 */
class StructureTest {
  private static final String ROOT = "io.github.pretrain4j.";

  /** Each package and the packages it may import directly. */
  private static final Map<String, Set<String>> EDGES =
      Map.ofEntries(
          Map.entry("cli", Set.of("serve", "train", "generate")),
          Map.entry("serve", Set.of("generate")),
          Map.entry("train", Set.of("optim", "nn")),
          Map.entry("generate", Set.of("optim", "nn")),
          Map.entry("optim", Set.of("tensor")),
          Map.entry("nn", Set.of("tensor")),
          Map.entry("tensor", Set.of("backend")),
          Map.entry("backend", Set.of()),
          Map.entry("backend.cpu", Set.of("backend")));

  private static final Pattern EDGE =
      Pattern.compile("^\\s+(\\S+)\\s+->\\s+(\\S+)\\s+classes\\s*$");

  @Test
  void importsFollowTheArrows() {
    Map<String, Set<String>> found = packageImports();
    Set<String> wrong = new TreeSet<>();
    found.forEach(
        (from, imports) -> {
          if (!EDGES.containsKey(from)) {
            wrong.add(from + " is not in the list");
            return;
          }
          Set<String> allowed = reachable(from);
          for (String to : imports) {
            if (!to.equals(from) && !allowed.contains(to)) {
              wrong.add(from + " -> " + to);
            }
          }
        });
    assertEquals(Set.of(), wrong);
    assertTrue(found.containsKey("tensor"), "jdeps found nothing");
  }

  private static Set<String> reachable(String from) {
    Set<String> reached = new HashSet<>();
    for (String to : EDGES.getOrDefault(from, Set.of())) {
      reached.add(to);
      reached.addAll(reachable(to));
    }
    return reached;
  }

  private static Map<String, Set<String>> packageImports() {
    Path classes = Path.of("target", "classes");
    assertTrue(Files.isDirectory(classes), "run in the module's directory");
    ToolProvider jdeps = ToolProvider.findFirst("jdeps").orElseThrow();
    StringWriter text = new StringWriter();
    PrintWriter out = new PrintWriter(text);
    int status =
        jdeps.run(
            out,
            out,
            "--ignore-missing-deps",
            "--multi-release",
            "base",
            "-verbose:package",
            "-filter:none",
            classes.toString());
    out.flush();
    assertEquals(0, status, text::toString);
    Map<String, Set<String>> imports = new TreeMap<>();
    for (String line : text.toString().split("\n", -1)) {
      Matcher edge = EDGE.matcher(line);
      if (edge.matches()
          && Arrays.stream(new String[] {edge.group(1), edge.group(2)})
              .allMatch(p -> p.startsWith(ROOT))) {
        imports
            .computeIfAbsent(edge.group(1).substring(ROOT.length()), unused -> new TreeSet<>())
            .add(edge.group(2).substring(ROOT.length()));
      }
    }
    return imports;
  }
}
