package io.github.pretrain4j.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A training process killed without warning (SIGKILL), again and again, in the middle of iterations
 * and of saves.
 */
final class KilledTrainerTest {
  private final Path directory;

  KilledTrainerTest(@TempDir Path directory) throws IOException {
    this.directory = directory;
    TinyTraining.prepare(directory);
  }

  /**
   * What the killed process runs: trains with the options in a file and tells of every iteration
   * and save.
   */
  static final class Child {
    private Child() {}

    public static void main(String[] arguments) throws IOException {
      TrainListener printer =
          new TrainListener() {
            @Override
            public void iteration(Iteration report) {
              tell("iteration " + report.iteration());
            }

            @Override
            public void milestone(Milestone milestone) {
              tell(milestone.getClass().getSimpleName());
            }

            @SuppressWarnings("SystemOut") // a pipe to the test that started this process
            private void tell(String line) {
              System.out.println(line);
              System.out.flush();
            }
          };
      try (Trainer trainer = Trainer.create(TrainConfig.read(Path.of(arguments[0])), printer)) {
        trainer.run();
      }
    }
  }

  @Test
  void endsWithTheSameFileAsAnUninterruptedRun() throws IOException, InterruptedException {
    Map<String, Object> options = options("straight");
    try (Trainer trainer = Trainer.create(TrainConfig.of(options))) {
      trainer.run();
    }
    Path file =
        Files.writeString(
            directory.resolve("killed.json"), TrainConfig.of(options("killed")).toJson());
    // Killed when it has told this: in the middle of the next iteration, of a save, and right after
    // one.
    for (String last : List.of("iteration 5", "Saving", "Saved")) {
      runAndKill(file, last);
    }
    assertEquals(0, run(file).waitFor());
    Path expected = TinyTraining.file(directory.resolve("straight"), 8);
    Path found = TinyTraining.file(directory.resolve("killed"), 8);
    assertEquals(-1, Files.mismatch(expected, found), "the final checkpoints differ");
  }

  private Map<String, Object> options(String save) {
    return TinyTraining.options(directory, directory.resolve(save));
  }

  private void runAndKill(Path options, String last) throws IOException, InterruptedException {
    Process process = run(options);
    List<String> lines = new ArrayList<>();
    try (BufferedReader out = process.inputReader(StandardCharsets.UTF_8)) {
      String line = out.readLine();
      while (line != null) {
        lines.add(line);
        if (line.equals(last)) {
          process.destroyForcibly();
          break;
        }
        line = out.readLine();
      }
    }
    assertTrue(process.waitFor() != 0, () -> "never said " + last + ": " + lines);
  }

  private Process run(Path options) throws IOException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home", ""), "bin", "java").toString());
    command.addAll(
        List.of("--add-modules", "jdk.incubator.vector", "--enable-native-access=ALL-UNNAMED"));
    command.addAll(List.of("-XX:TieredStopAtLevel=1", "-Xmx256m", "-cp", classPath()));
    command.addAll(List.of(Child.class.getName(), options.toString()));
    return new ProcessBuilder(command)
        .redirectError(directory.resolve("stderr.txt").toFile())
        .start();
  }

  /** Surefire hides the class path in a manifest and says here what it is. */
  private static String classPath() {
    return System.getProperty(
        "surefire.test.class.path", System.getProperty("java.class.path", ""));
  }
}
