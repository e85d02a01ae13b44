package io.github.pretrain4j.model;

import java.io.IOException;
import java.nio.file.Path;

/**
 * A model configuration that cannot be used as it stands: which file, which field, what it should
 * hold.
 */
public final class InvalidConfigException extends IOException {
  private static final long serialVersionUID = 1L;

  private final transient Path file;
  private final String field;

  public InvalidConfigException(Path file, String field, String expected, String found) {
    super(file + ": field \"" + field + "\": expected " + expected + ", found " + found);
    this.file = file;
    this.field = field;
  }

  /** The file that was read. */
  public Path file() {
    return file;
  }

  /**
   * The field's name, with a dot before each nested one; empty when the file as a whole is at
   * fault.
   */
  public String field() {
    return field;
  }
}
