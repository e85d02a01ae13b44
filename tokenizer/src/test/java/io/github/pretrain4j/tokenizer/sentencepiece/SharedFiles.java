package io.github.pretrain4j.tokenizer.sentencepiece;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/** Finds the reference files that lie beside a checkout but are too large or not ours to copy. */
final class SharedFiles {
  private SharedFiles() {}

  /** {@code shared/golden/tokenizers/NAME}; empty if the whole collection is not there. */
  static Optional<Path> goldenTokenizer(String name) {
    Optional<Path> found = root().map(root -> root.resolve("tokenizers").resolve(name));
    if (found.isPresent() && !Files.isDirectory(found.get())) {
      throw new IllegalStateException(found.get() + " is missing");
    }
    return found;
  }

  /**
   * The directory {@code shared/golden} of a parent of the working directory; empty if there is
   * none. A {@code shared} beside the checkout that lacks it is an error, lest the tests on it
   * vanish unseen.
   */
  private static Optional<Path> root() {
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
