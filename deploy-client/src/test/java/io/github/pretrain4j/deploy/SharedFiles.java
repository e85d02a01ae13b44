package io.github.pretrain4j.deploy;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/** Third-party files that are not part of the repository, where a checkout has them beside it. */
final class SharedFiles {
  private SharedFiles() {}

  /**
   * The directory {@code shared/golden} of a parent of the working directory; empty if there is
   * none. A {@code shared} beside the checkout that lacks it is an error, lest the tests on it
   * vanish unseen.
   */
  static Optional<Path> golden() {
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
}
