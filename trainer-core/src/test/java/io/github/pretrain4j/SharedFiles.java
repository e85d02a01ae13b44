package io.github.pretrain4j;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/**
 * The recorded files of the reference programs that are too large for this repository, where they
 * are at hand.
 */
public final class SharedFiles {
  private SharedFiles() {}

  /** {@code shared/golden} beside this checkout or above it; empty elsewhere. */
  public static Optional<Path> golden() {
    for (Path directory = Path.of("").toAbsolutePath();
        directory != null;
        directory = directory.getParent()) {
      Path golden = directory.resolve("shared").resolve("golden");
      if (Files.isDirectory(golden)) {
        return Optional.of(golden);
      }
    }
    return Optional.empty();
  }

  /** A file or directory of this module's own test resources. */
  public static Path resource(String name) {
    return Path.of("src", "test", "resources").toAbsolutePath().resolve(name);
  }
}
