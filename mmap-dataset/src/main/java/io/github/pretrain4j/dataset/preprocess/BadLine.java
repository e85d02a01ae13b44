package io.github.pretrain4j.dataset.preprocess;

import org.jspecify.annotations.Nullable;

/** A line that is not as it should be; the place is an index into its block's bytes. */
final class BadLine extends Exception {
  private static final long serialVersionUID = 1L;

  final int at;
  final String expected;
  final String found;

  BadLine(int at, String expected, String found, @Nullable Throwable cause) {
    super(expected, cause);
    this.at = at;
    this.expected = expected;
    this.found = found;
  }
}
