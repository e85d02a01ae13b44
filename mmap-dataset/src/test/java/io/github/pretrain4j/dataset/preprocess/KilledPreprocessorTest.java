package io.github.pretrain4j.dataset.preprocess;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import org.jspecify.annotations.NullUnmarked;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A few of the kills of {@link KillCommand}. */
@NullUnmarked // JUnit injects, and assertions check, what the compiler cannot see
class KilledPreprocessorTest {
  @TempDir Path temporary;

  @Test
  void killedAtRandomItEndsWithTheSameBytes() throws IOException, InterruptedException {
    long seed = Long.getLong("test.seed", 7);
    int results = Integer.getInteger("kills", 4);
    KillCommand command = new KillCommand(temporary, 10_000);
    assertTrue(command.run(results, seed, System.err), "-Dtest.seed=" + seed);
  }

  @Test
  void haltedAtStepsOfTheEndItIsCompletedByTheNext() throws IOException, InterruptedException {
    KillCommand command = new KillCommand(temporary, 500);
    command.writeInputs(1);
    Map<String, String> expected = command.expected(0);
    int step = 0;
    while (true) {
      KillCommand.Outcome outcome = command.haltAt(step, 0, expected);
      assertTrue(outcome.same(), "step " + step + ": " + outcome.difference());
      if (outcome.kills() == 0) {
        break;
      }
      step += 2;
    }
    assertTrue(step > 5, step + " steps");
  }
}
