package io.github.pretrain4j.dataset.tool;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.pretrain4j.dataset.IndexedDatasetWriter;
import io.github.pretrain4j.dataset.TokenType;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.ServiceLoader;
import java.util.spi.ToolProvider;
import org.jspecify.annotations.NullUnmarked;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@NullUnmarked // JUnit injects, and assertions check, what the compiler cannot see
class DataToolTest {
  @TempDir Path temporary;
  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();
  private String prefix;

  @BeforeEach
  void write() throws IOException {
    Files.createDirectory(temporary.resolve("in"));
    prefix = temporary.resolve("in").resolve("x").toString();
    try (IndexedDatasetWriter writer =
        IndexedDatasetWriter.create(Path.of(prefix), TokenType.UINT16)) {
      writer.addDocument(new int[] {1, 2, 3}, new int[] {2, 1});
      writer.addDocument(new int[0], new int[0]);
      writer.addDocument(new int[] {9}, new int[] {1});
      writer.finish();
    }
  }

  private int run(String... arguments) {
    out.getBuffer().setLength(0);
    err.getBuffer().setLength(0);
    ToolProvider tool = ToolProvider.findFirst("p4j-data").orElseThrow();
    return tool.run(new PrintWriter(out), new PrintWriter(err), arguments);
  }

  private String lines() {
    return out.toString().replace(System.lineSeparator(), "\n").replace(temporary.toString(), "T");
  }

  @Test
  void isFoundAsAService() {
    assertTrue(
        ServiceLoader.load(ToolProvider.class).stream()
            .anyMatch(provider -> provider.type() == DataTool.class));
  }

  @Test
  void splitsAndMerges() throws IOException {
    String part = temporary.resolve("in").resolve("part").toString();
    assertEquals(0, run("split", prefix, "--output-prefix", part, "--parts", "3"), err::toString);
    assertEquals(
        """
        T/in/part_0: 1 documents, 3 tokens
        T/in/part_1: 1 documents, 0 tokens
        T/in/part_2: 1 documents, 1 tokens
        """,
        lines());
    String whole = temporary.resolve("whole").toString();
    assertEquals(0, run("merge", part + "_0", part + "_1", part + "_2", "--output-prefix", whole));
    assertEquals("T/whole: 3 documents, 3 sequences, 4 tokens from 3 datasets\n", lines());
    assertEquals(-1, Files.mismatch(Path.of(prefix + ".idx"), Path.of(whole + ".idx")));
    assertEquals(
        0, run("merge", "--input", temporary + "/in", "--output-prefix", whole), err::toString);
    assertEquals("T/whole: 6 documents, 6 sequences, 8 tokens from 4 datasets\n", lines());
    assertEquals(2, run("merge", "--output-prefix", whole));
    assertEquals(2, run("split", prefix, "--output-prefix", part));
    assertEquals(0, run("split", prefix, "--output-prefix", part, "--shares", "2,1"));
    assertEquals(0, run("head", prefix, "--output-prefix", whole, "--documents", "2"));
    assertEquals("T/whole: 2 documents, 3 tokens\n", lines());
  }

  @Test
  void verifiesAndRepairs() throws IOException {
    Path data = Path.of(prefix + ".bin");
    assertEquals(0, run("verify", prefix, "--vocab-size", "10"));
    assertEquals("T/in/x: 3 documents, 3 sequences, 4 tokens, nothing wrong\n", lines());
    assertEquals(1, run("verify", prefix, "--vocab-size", "9"));
    assertEquals(
        "token: T/in/x.bin: token 3 at byte 6: expected 0 to 8, found 9\nT/in/x: 1 findings\n",
        lines());
    Files.write(data, Arrays.copyOf(Files.readAllBytes(data), 11));
    assertEquals(1, run("verify", "--depth", "ends", prefix));
    assertEquals(0, run("repair", "--dry-run", prefix));
    assertEquals(11, Files.size(data));
    assertEquals(0, run("repair", prefix));
    assertEquals(
        "cut_data: T/in/x.bin: at byte 8: now the end, was 3 bytes of no sequence\n", lines());
    assertEquals(0, run("repair", prefix));
    assertEquals("T/in/x: nothing to repair\n", lines());
    Files.write(data, new byte[2]);
    assertEquals(1, run("repair", prefix));
    assertTrue(err.toString().startsWith("p4j-data: error: "), err::toString);
  }

  @Test
  void describes() {
    assertEquals(0, run("stats", prefix, "--vocab-size", "8"));
    assertTrue(lines().contains("empty documents    1\n"), this::lines);
    assertTrue(lines().contains("ids used           3 of 8\n"), this::lines);
    assertEquals(0, run("dump", prefix));
    assertEquals(
        "document 0 sequence 0: 1 2\ndocument 0 sequence 1: 3\ndocument 2 sequence 2: 9\n",
        lines());
    assertEquals(0, run("dump", prefix, "--first", "1", "--documents", "1"));
    assertEquals("", lines());
    assertEquals(2, run("dump", prefix, "--first", "7"));
    assertEquals(1, run("stats", prefix + "none"));
    assertTrue(err.toString().contains("xnone.idx: no such file"), err::toString);
    assertEquals(2, run());
    assertTrue(err.toString().contains("which one: merge, split"), err::toString);
  }
}
