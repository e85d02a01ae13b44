package io.github.pretrain4j.cli;

/** What a step's exit code says. */
final class ExitCode {

  static final int OK = 0;

  /** The world failed: a file is missing or damaged, the disk is full, the port is taken. */
  static final int WORLD = 1;

  /** Wrong usage or configuration. */
  static final int USAGE = 2;

  /** Nothing to run on: no backend, no JDK module, no device. */
  static final int UNAVAILABLE = 3;

  /** A bug of ours. */
  static final int BUG = 70;

  private ExitCode() {}
}
