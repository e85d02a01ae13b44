package io.github.pretrain4j.dataset;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.spi.ToolProvider;
import org.junit.jupiter.api.Test;

/** The packages of this module and what each may import. Change it knowingly. */
class StructureTest {
  private static final String ROOT = "io.github.pretrain4j.dataset";
  private static final String PROJECT = "io.github.pretrain4j";
  private static final Pattern EDGE = Pattern.compile("^\\s+(\\S+)\\s+->\\s+(\\S+)\\s");

  private static final Set<String> ALLOWED =
      Set.of(
          "dataset -> storage",
          "gpt -> dataset",
          "gpt -> storage",
          "preprocess -> dataset",
          "preprocess -> sentences",
          "preprocess -> storage",
          "spark -> dataset",
          "spark -> preprocess",
          "spark -> sentences",
          "spark -> storage",
          "tool -> dataset",
          "tool -> gpt",
          "tool -> preprocess",
          "tool -> sentences",
          "tool -> storage");

  /** What every package may name. */
  private static final Pattern EVERYWHERE =
      Pattern.compile(
          "(java|javax|com\\.google\\.common|com\\.fasterxml\\.jackson\\.core|org\\.jspecify)(\\..*)?");

  /** What embedders do not inherit, and the only package that may name it. */
  private static final Map<String, String> OPTIONAL =
      Map.of(
          "picocli", "tool",
          "com.github.luben.zstd", "preprocess",
          "org.apache.spark", "spark",
          "org.apache.hadoop", "spark",
          "scala", "spark");

  @Test
  void packagesImportOnlyWhatTheyMay() throws URISyntaxException {
    Set<String> unexpected = new TreeSet<>();
    for (String line : jdeps().split("\\R", -1)) {
      Matcher edge = EDGE.matcher(line + " ");
      if (edge.find() && edge.group(1).startsWith(ROOT)) {
        String from = name(edge.group(1));
        String to = edge.group(2);
        if (to.startsWith(PROJECT)) {
          unexpected.add(from + " -> " + name(to));
        }
        if (!to.startsWith(PROJECT) && !EVERYWHERE.matcher(to).matches()) {
          String user =
              OPTIONAL.entrySet().stream()
                  .filter(library -> (to + ".").startsWith(library.getKey() + "."))
                  .map(Map.Entry::getValue)
                  .findFirst()
                  .orElse("no package");
          assertEquals(user, from, "who may name " + to);
        }
      }
    }
    unexpected.removeIf(edge -> edge.equals("tool -> tool"));
    unexpected.removeAll(ALLOWED);
    assertEquals(Set.of(), unexpected);
  }

  private static String name(String packageName) {
    return packageName.substring(packageName.lastIndexOf('.') + 1);
  }

  private static String jdeps() throws URISyntaxException {
    Path classes =
        Path.of(IndexedDataset.class.getProtectionDomain().getCodeSource().getLocation().toURI());
    StringWriter out = new StringWriter();
    PrintWriter writer = new PrintWriter(out);
    int code =
        ToolProvider.findFirst("jdeps")
            .orElseThrow()
            .run(
                writer,
                writer,
                "--multi-release",
                "base",
                "-verbose:package",
                "--ignore-missing-deps",
                classes.toString());
    writer.flush();
    assertEquals(0, code, out.toString());
    assertTrue(out.toString().contains(ROOT), out.toString());
    return out.toString();
  }
}
