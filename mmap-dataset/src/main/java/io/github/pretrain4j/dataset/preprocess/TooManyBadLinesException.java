package io.github.pretrain4j.dataset.preprocess;

import java.io.IOException;
import java.nio.file.Path;

/**
 * More lines had to be left out than the caller allows. What was done is kept: a later run that
 * allows more goes on from here.
 */
public final class TooManyBadLinesException extends IOException {
  private static final long serialVersionUID = 1L;

  private final long maxBad;
  private final long rejected;
  private final transient Path report;

  TooManyBadLinesException(long maxBad, long rejected, Path report) {
    super("expected up to " + maxBad + " bad lines, found " + rejected + ", listed in " + report);
    this.maxBad = maxBad;
    this.rejected = rejected;
    this.report = report;
  }

  /** How many were allowed. */
  public long maxBad() {
    return maxBad;
  }

  /** How many there are so far. */
  public long rejected() {
    return rejected;
  }

  /** The report so far, with a line about each. */
  public Path report() {
    return report;
  }
}
