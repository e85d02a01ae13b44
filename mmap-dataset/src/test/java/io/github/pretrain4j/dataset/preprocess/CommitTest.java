package io.github.pretrain4j.dataset.preprocess;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.pretrain4j.dataset.IndexedDataset;
import io.github.pretrain4j.dataset.storage.FileCommit;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.jspecify.annotations.NullUnmarked;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A stop, by a failure or by a kill, after each step of a commit. */
@NullUnmarked // JUnit injects, and assertions check, what the compiler cannot see
class CommitTest {
  private static final int[] OLD = {1, 2, 3};
  private static final int[] NEW = {4, 5, 6};

  @TempDir Path temporary;

  private void write(int[] tokens, FileCommit.StepListener listener) throws IOException {
    write(temporary, tokens, listener);
  }

  /** With the input that all runs share, for its place is in the journal. */
  private void write(Path directory, int[] tokens, FileCommit.StepListener listener)
      throws IOException {
    Path input = temporary.resolve("in.jsonl");
    String text = tokens[0] + " " + tokens[1] + " " + tokens[2];
    Files.writeString(input, "{\"a\": \"" + text + "\", \"b\": [\"" + text + "\"]}");
    Preprocessor.run(
        Preprocessor.Config.of(List.of(input.toString()), directory.resolve("x"), 100)
            .withJsonKeys(List.of("a", "b")),
        NullEncoder::new,
        Preprocessor.ProgressListener.NONE,
        listener,
        Long.MAX_VALUE);
  }

  private static Map<String, byte[]> contents(Path directory) throws IOException {
    Map<String, byte[]> contents = new TreeMap<>();
    try (Stream<Path> files = Files.list(directory)) {
      for (Path file :
          files.filter(f -> Files.isRegularFile(f) && !f.toString().endsWith(".jsonl")).toList()) {
        contents.put(file.getFileName().toString(), Files.readAllBytes(file));
      }
    }
    return contents;
  }

  /** The tokens of a dataset, or null if there is none. */
  private static int[] tokens(Path prefix) throws IOException {
    if (!Files.exists(Path.of(prefix + ".idx"))) {
      return null;
    }
    try (IndexedDataset dataset = IndexedDataset.open(prefix)) {
      dataset.verify();
      return dataset.sequence(0);
    }
  }

  private int steps() throws IOException {
    List<String> steps = new ArrayList<>();
    write(NEW, steps::add);
    return steps.size();
  }

  /** The old files are there as long as any of the new ones is not; then the new ones are. */
  @Test
  void aRunThatFailedBeforeAnyStepIsCompletedByTheNext() throws IOException {
    write(NEW, FileCommit.StepListener.NONE);
    Map<String, byte[]> expected = contents(temporary);
    write(OLD, FileCommit.StepListener.NONE);
    Map<String, byte[]> before = contents(temporary);
    assertEquals(6, before.size());
    int steps = steps();
    assertTrue(steps > 16, steps + " steps");
    for (int stop = 0; stop < steps; stop++) {
      write(OLD, FileCommit.StepListener.NONE);
      int[] count = {stop};
      boolean[] deleting = {false};
      IOException failure =
          assertThrows(
              IOException.class,
              () ->
                  write(
                      NEW,
                      step -> {
                        deleting[0] = step.startsWith("delete");
                        if (count[0]-- == 0) {
                          throw new IOException("stopped before: " + step);
                        }
                      }));
      assertTrue(failure.getMessage().startsWith("stopped"), failure.getMessage());
      Map<String, byte[]> after = contents(temporary);
      Map<String, byte[]> there = deleting[0] ? expected : before;
      for (String name : there.keySet()) {
        assertArrayEquals(there.get(name), after.get(name), name);
      }
      write(NEW, FileCommit.StepListener.NONE);
      assertSame(expected, contents(temporary));
    }
  }

  private static void assertSame(Map<String, byte[]> expected, Map<String, byte[]> found) {
    assertEquals(expected.keySet(), found.keySet());
    for (String name : expected.keySet()) {
      assertArrayEquals(expected.get(name), found.get(name), name);
    }
  }

  /** What a killed process would leave is what the directory holds before each step. */
  @Test
  void aKillBeforeAnyStepLeavesEachDatasetCompleteOrAbsent() throws IOException {
    write(OLD, FileCommit.StepListener.NONE);
    List<Path> snapshots = new ArrayList<>();
    Path base = Files.createDirectory(temporary.resolve("snapshots"));
    write(
        NEW,
        step -> {
          Path snapshot = Files.createDirectory(base.resolve("" + snapshots.size()));
          try (Stream<Path> files = Files.list(temporary)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
              Files.copy(file, snapshot.resolve(file.getFileName()));
            }
          }
          snapshots.add(snapshot);
        });
    boolean sawAbsent = false;
    for (Path snapshot : snapshots) {
      for (String key : List.of("a", "b")) {
        int[] tokens = tokens(snapshot.resolve("x_" + key + "_document"));
        sawAbsent |= tokens == null;
        if (tokens != null) {
          assertTrue(tokens[0] == OLD[0] || tokens[0] == NEW[0]);
        }
      }
    }
    assertTrue(sawAbsent);
    assertArrayEquals(OLD, tokens(snapshots.get(0).resolve("x_a_document")));
    assertArrayEquals(NEW, tokens(snapshots.get(snapshots.size() - 1).resolve("x_b_document")));
    Map<String, byte[]> expected = contents(temporary);
    for (Path snapshot : snapshots) {
      write(snapshot, NEW, FileCommit.StepListener.NONE);
      assertSame(expected, contents(snapshot));
    }
  }
}
