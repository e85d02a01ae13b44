package io.github.pretrain4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
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
  void quotesPathsForTheShell() throws IOException {
    Path work = folder.resolve("my work's");
    assertEquals(0, run(distribution(), "init", work.toString()), err.toString());
    assertTrue(
        out.toString().contains("export WORK_DIR='" + folder + "/my work'\\''s'\n"),
        out.toString());
  }

  @Test
  void doesNotReplaceWhatAppearedMeanwhile() throws IOException {
    Path copy = Files.createDirectories(folder.resolve("copy"));
    Path target = Files.createDirectories(folder.resolve("target"));
    Files.writeString(target.resolve("kept"), "theirs");
    IOException e = assertThrows(IOException.class, () -> WorkspaceTool.rename(copy, target));
    assertEquals(target + " appeared while it was being copied", e.getMessage());
    assertEquals(List.of("kept"), names(target));
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
