package io.github.pretrain4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class WorkspaceToolTest {

  private final Path folder;

  WorkspaceToolTest(@TempDir Path folder) {
    this.folder = folder;
  }

  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  private int run(@Nullable Path home, String... arguments) {
    return new WorkspaceTool(home)
        .run(new PrintWriter(out, true), new PrintWriter(err, true), arguments);
  }

  private Path distribution() throws IOException {
    Path home = folder.resolve("dist");
    Files.createDirectories(home.resolve("bin"));
    Files.createDirectories(home.resolve("lib"));
    Path launcher = Files.writeString(home.resolve("bin/p4j"), "#!/bin/sh\n");
    assertTrue(launcher.toFile().setExecutable(true));
    Files.writeString(home.resolve("lib/a.jar"), "jar");
    return home;
  }

  private static List<String> names(Path directory) throws IOException {
    try (Stream<Path> children = Files.list(directory)) {
      return children.map(child -> child.getFileName().toString()).sorted().toList();
    }
  }

  @Test
  void makesTheGuidesTree() throws IOException {
    Path work = folder.resolve("a/work");
    assertEquals(0, run(distribution(), "init", work.toString()), err.toString());
    assertEquals(List.of("code", "data", "output", "pretrained_models"), names(work));
    assertEquals(List.of("bml-megatron-llm"), names(work.resolve("code")));
    Path copy = work.resolve("code/bml-megatron-llm");
    assertTrue(Files.isExecutable(copy.resolve("bin/p4j")));
    assertEquals("jar", Files.readString(copy.resolve("lib/a.jar")));
    assertTrue(out.toString().contains("export MEGATRON_PATH=" + copy), out.toString());
  }

  @Test
  void leavesWhatIsThere() throws IOException {
    Path home = distribution();
    Path work = folder.resolve("work");
    assertEquals(0, run(home, "init", work.toString()));
    Path kept = Files.writeString(work.resolve("data/corpus.jsonl"), "mine");
    Files.writeString(work.resolve("code/bml-megatron-llm/lib/a.jar"), "changed");
    assertEquals(0, run(home, "init", work.toString()));
    assertEquals("mine", Files.readString(kept));
    assertEquals("changed", Files.readString(work.resolve("code/bml-megatron-llm/lib/a.jar")));
  }

  @Test
  void needsADistributionAndAnAction() throws IOException {
    assertEquals(2, run(null, "init", folder.resolve("work").toString()));
    assertEquals(2, run(distribution(), "make", folder.resolve("work").toString()));
    assertEquals(2, run(distribution(), "init"));
    assertEquals(2, run(distribution(), "init", distribution().resolve("inside").toString()));
    assertFalse(Files.exists(folder.resolve("work")));
  }
}
