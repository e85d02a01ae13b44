package io.github.pretrain4j.deploy;

import java.util.List;
import java.util.OptionalInt;

/** A service ended, or ended up failed, before it was ready. */
public final class ServiceFailedException extends DeployException {
  private final transient OptionalInt exitCode;
  private final transient List<String> lastLines;

  public ServiceFailedException(String what, OptionalInt exitCode, String log, List<String> lines) {
    super(
        what
            + (exitCode.isPresent() ? " with exit code " + exitCode.getAsInt() : "")
            + "; log "
            + log
            + (lines.isEmpty() ? " is empty" : " ends:\n    " + String.join("\n    ", lines)));
    this.exitCode = exitCode;
    this.lastLines = List.copyOf(lines);
  }

  /** The exit code of its process, when it was a process whose end we saw. */
  public OptionalInt exitCode() {
    return exitCode;
  }

  /** The end of its log. */
  public List<String> lastLines() {
    return lastLines;
  }
}
