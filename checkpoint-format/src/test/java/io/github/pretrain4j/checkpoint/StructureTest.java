package io.github.pretrain4j.checkpoint;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.spi.ToolProvider;
import org.junit.jupiter.api.Test;

/** The packages of this module import each other only as drawn; no arrow turns round. */
class StructureTest {
  private static final String ROOT = "io.github.pretrain4j.";

  /** Package to what it may import, below the root. Nobody imports a plugin. */
  private static final Map<String, Set<String>> ALLOWED =
      Map.of(
          "checkpoint", Set.of(),
          "checkpoint.huggingface", Set.of("checkpoint"),
          "checkpoint.distributed", Set.of("checkpoint"),
          "checkpoint.megatron", Set.of("checkpoint", "checkpoint.distributed"),
          "model", Set.of("checkpoint"),
          "model.family", Set.of("model", "checkpoint"),
          "inspect", Set.of("checkpoint.huggingface", "checkpoint.megatron", "model", "checkpoint"),
          "convert",
              Set.of("checkpoint.huggingface", "checkpoint.megatron", "model", "checkpoint"));

  private static final Pattern EDGE =
      Pattern.compile("^ +(\\S+) +-> (\\S+) .*$", Pattern.MULTILINE);

  @Test
  void packagesImportOnlyWhatIsDrawn() {
    StringWriter text = new StringWriter();
    PrintWriter out = new PrintWriter(text);
    int exit =
        ToolProvider.findFirst("jdeps")
            .orElseThrow()
            .run(
                out,
                out,
                "-verbose:package",
                "-filter:none",
                "--multi-release",
                "base",
                "--ignore-missing-deps",
                "target/classes");
    assertEquals(0, exit, text.toString());
    Set<String> wrong = new TreeSet<>();
    int seen = 0;
    Matcher edges = EDGE.matcher(text.toString());
    while (edges.find()) {
      if (edges.group(1).startsWith(ROOT) && edges.group(2).startsWith(ROOT)) {
        String from = edges.group(1).substring(ROOT.length());
        String to = edges.group(2).substring(ROOT.length());
        seen++;
        if (!from.equals(to) && !ALLOWED.getOrDefault(from, Set.of()).contains(to)) {
          wrong.add(from + " -> " + to);
        }
      }
    }
    assertTrue(seen > 0, text.toString());
    assertEquals(Set.of(), wrong);
  }
}
