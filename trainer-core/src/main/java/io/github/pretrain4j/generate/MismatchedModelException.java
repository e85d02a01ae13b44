package io.github.pretrain4j.generate;

import java.io.IOException;
import java.nio.file.Path;

/**
 * The files of a model do not belong together: its tokenizer has more ids than its embedding has
 * rows, and the like.
 */
public final class MismatchedModelException extends IOException {

  private static final long serialVersionUID = 1;

  MismatchedModelException(Path file, String what, Object expected, Object found) {
    super("%s: %s: expected %s, found %s".formatted(file, what, expected, found));
  }
}
