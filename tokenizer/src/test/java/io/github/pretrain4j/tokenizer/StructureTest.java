package io.github.pretrain4j.tokenizer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.spi.ToolProvider;
import org.junit.jupiter.api.Test;

/** The packages of this module and what each may import. Change it knowingly. */
class StructureTest {
  private static final String ROOT = "io.github.pretrain4j.tokenizer";
  private static final Pattern EDGE = Pattern.compile("^\\s+(\\S+)\\s+->\\s+(\\S+)\\s");

  private static final Set<String> ALLOWED =
      Set.of(
          "djl -> sentencepiece",
          "djl -> tokenizer",
          "huggingface -> bpe",
          "huggingface -> tokenizer",
          "megatron -> tokenizer",
          "sentencepiece -> bpe",
          "sentencepiece -> tokenizer",
          "tool -> sentencepiece",
          "tool -> tokenizer");

  @Test
  void packagesImportOnlyWhatTheyMay() throws URISyntaxException {
    Set<String> found = new TreeSet<>();
    for (String line : jdeps().split("\\R", -1)) {
      Matcher edge = EDGE.matcher(line + " ");
      if (edge.find() && edge.group(1).startsWith(ROOT)) {
        String from = edge.group(1);
        String to = edge.group(2);
        if (to.startsWith("io.github.pretrain4j")) {
          found.add(name(from) + " -> " + name(to));
        } else if (to.startsWith("picocli") || to.startsWith("com.fasterxml")) {
          assertEquals("tool", name(from), "only the command line needs " + to);
        } else if (to.startsWith("ai.djl")) {
          assertEquals("djl", name(from), "only the native provider needs " + to);
        }
      }
    }
    found.removeIf(edge -> edge.equals("tool -> tool"));
    assertEquals(new TreeSet<>(ALLOWED), found);
  }

  private static String name(String packageName) {
    return packageName.substring(packageName.lastIndexOf('.') + 1);
  }

  private static String jdeps() throws URISyntaxException {
    Path classes =
        Path.of(Tokenizer.class.getProtectionDomain().getCodeSource().getLocation().toURI());
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
