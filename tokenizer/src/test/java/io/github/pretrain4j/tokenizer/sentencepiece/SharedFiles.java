package io.github.pretrain4j.tokenizer.sentencepiece;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/** Finds the reference files that lie beside a checkout but are too large or not ours to copy. */
final class SharedFiles {
  private SharedFiles() {}

  /** {@code shared/golden/tokenizers/NAME} in this directory or one above it, if it exists. */
  static Optional<Path> goldenTokenizer(String name) {
    for (Path at = Path.of("").toAbsolutePath(); at != null; at = at.getParent()) {
      Path found = at.resolve("shared/golden/tokenizers").resolve(name);
      if (Files.isDirectory(found)) {
        return Optional.of(found);
      }
    }
    return Optional.empty();
  }
}
