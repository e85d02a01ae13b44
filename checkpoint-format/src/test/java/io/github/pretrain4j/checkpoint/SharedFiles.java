package io.github.pretrain4j.checkpoint;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Recorded files of the reference programs: a few in the test resources, all of them where they are
 * laid beside.
 */
public final class SharedFiles {
  private SharedFiles() {}

  /** The torch files that come with the sources. How they were made: their index.json. */
  public static Path torchResources() {
    return Path.of("src/test/resources/golden/torch").toAbsolutePath();
  }

  /**
   * The directory {@code shared/golden} of a parent of the working directory; empty if there is
   * none. A {@code shared} beside the checkout that lacks it is an error, lest the tests on it
   * vanish unseen.
   */
  public static Optional<Path> root() {
    for (Path at = Path.of("").toAbsolutePath(); at != null; at = at.getParent()) {
      Path golden = at.resolve("shared/golden");
      if (Files.isDirectory(golden)) {
        return Optional.of(golden);
      }
    }
    if (Files.isDirectory(Path.of("../../shared"))) {
      throw new IllegalStateException("../../shared has no directory golden");
    }
    return Optional.empty();
  }

  /**
   * Files below {@code folder} of the large collection whose name ends so, sorted; none if the
   * collection is not there, an error if only the folder or the files are not.
   */
  public static List<Path> golden(String folder, String ending) throws IOException {
    Optional<Path> root = root();
    if (root.isEmpty()) {
      return List.of();
    }
    try (Stream<Path> files = Files.walk(root.get().resolve(folder))) {
      List<Path> found =
          files
              .filter(file -> file.getFileName().toString().endsWith(ending))
              .filter(Files::isRegularFile)
              .sorted()
              .toList();
      if (found.isEmpty()) {
        throw new IllegalStateException(root.get().resolve(folder) + " holds no *" + ending);
      }
      return found;
    }
  }
}
