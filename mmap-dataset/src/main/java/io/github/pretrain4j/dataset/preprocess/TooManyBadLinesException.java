package io.github.pretrain4j.dataset.preprocess;

import java.io.IOException;
import java.nio.file.Path;

/** More lines had to be left out than the caller allows. */
public final class TooManyBadLinesException extends IOException {
  private static final long serialVersionUID = 1L;

  private final long maxBad;

  TooManyBadLinesException(long maxBad, Path report, MalformedLineException last) {
    super(
        "more than "
            + maxBad
            + " bad lines, see "
            + report
            + "; the one too many: "
            + last.getMessage(),
        last);
    this.maxBad = maxBad;
  }

  /** How many were allowed. */
  public long maxBad() {
    return maxBad;
  }
}
