package io.github.pretrain4j.checkpoint;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Damaged files end in a typed error or a reading, never in another exception, endless work or
 * memory. These are the first mutants of {@link FuzzCommand}, which makes as many as one likes.
 */
class MutationTest {
  private static final int MUTANTS_OF_A_FILE = 200;
  private static final int MUTANTS_OF_A_CHECKPOINT = 80;

  @ParameterizedTest
  @EnumSource(FuzzTarget.class)
  void damagedFilesEndInTypedErrors(FuzzTarget target, @TempDir Path directory) throws Exception {
    int mutants =
        target.compareTo(FuzzTarget.HUGGING_FACE_INDEX) <= 0
            ? MUTANTS_OF_A_FILE
            : MUTANTS_OF_A_CHECKPOINT;
    FuzzCommand.Result result = new FuzzCommand(target, directory).run(0, mutants);
    assertTrue(result.refused() > mutants / 8, result.toString());
    assertTrue(result.read() > 0, result.toString());
  }
}
