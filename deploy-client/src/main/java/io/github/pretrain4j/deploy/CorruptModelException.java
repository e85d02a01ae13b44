package io.github.pretrain4j.deploy;

import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** A stored model, or the file that describes it, is not what it was when it was written. */
public final class CorruptModelException extends DeployException {
  private final transient Path file;

  public CorruptModelException(
      Path file, String what, Object expected, Object found, @Nullable Throwable cause) {
    super(file + ": " + what + ": expected " + expected + ", found " + found, cause);
    this.file = file;
  }

  public CorruptModelException(Path file, String what, Object expected, Object found) {
    this(file, what, expected, found, null);
  }

  public Path file() {
    return file;
  }
}
