package io.github.pretrain4j.tokenizer;

import java.io.IOException;
import java.nio.file.Path;

/** A sound tokenizer file that needs something we do not do; approximating it is not an option. */
public final class UnsupportedTokenizerException extends IOException {
  private static final long serialVersionUID = 1L;

  private final String file;
  private final String component;

  /**
   * Names what is not supported.
   *
   * @param file the file, or a name for it
   * @param component the part of the file, as {@code "model_type UNIGRAM"}
   * @param remedy what would work instead
   */
  public UnsupportedTokenizerException(Path file, String component, String remedy) {
    super(file + ": " + component + " is not supported; " + remedy);
    this.file = file.toString();
    this.component = component;
  }

  /** The file. */
  public Path file() {
    return Path.of(file);
  }

  /** The part of the file that is not supported. */
  public String component() {
    return component;
  }
}
