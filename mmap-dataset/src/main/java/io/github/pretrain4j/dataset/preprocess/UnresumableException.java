package io.github.pretrain4j.dataset.preprocess;

import java.io.IOException;
import java.nio.file.Path;

/**
 * What an earlier run left cannot be gone on with: it was another run, its inputs have changed, or
 * its partial files are damaged. Nothing was changed. {@link Preprocessor.Config#withRestart}
 * deletes the partial work and begins anew.
 */
public final class UnresumableException extends IOException {
  private static final long serialVersionUID = 1L;

  private final transient Path file;
  private final String what;
  private final String expected;
  private final String found;

  UnresumableException(Path file, String what, Object expected, Object found) {
    super(
        file
            + ": cannot go on with an earlier run: "
            + what
            + ": expected "
            + expected
            + ", found "
            + found
            + "; a restart (--restart) deletes its partial work and begins anew");
    this.file = file;
    this.what = what;
    this.expected = expected.toString();
    this.found = found.toString();
  }

  /** The file that is not as the journal says, or the journal itself. */
  public Path file() {
    return file;
  }

  /** The setting, or the part of the file. */
  public String what() {
    return what;
  }

  /** What the earlier run had. */
  public String expected() {
    return expected;
  }

  /** What is there now. */
  public String found() {
    return found;
  }
}
