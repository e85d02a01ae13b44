package io.github.pretrain4j.deploy;

import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** Third-party files that are not part of the repository, where a checkout has them beside it. */
final class SharedFiles {
  private SharedFiles() {}

  /**
   * The directory {@code shared/golden} of a parent of the working directory; null if there is
   * none.
   */
  static @Nullable Path golden() {
    Path at = Path.of("").toAbsolutePath();
    while (at != null) {
      Path golden = at.resolve("shared").resolve("golden");
      if (Files.isDirectory(golden)) {
        return golden;
      }
      at = at.getParent();
    }
    return null;
  }
}
