package io.github.pretrain4j.train;

import java.io.IOException;

/** A loss or a gradient norm is not a number; the last checkpoint is untouched. */
public final class DivergedException extends IOException {
  private static final long serialVersionUID = 1;

  DivergedException(String what, double value, long iteration) {
    super("iteration " + iteration + ": " + what + " is " + value);
  }
}
