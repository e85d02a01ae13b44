package io.github.pretrain4j.deploy;

/**
 * One thing preflight has to say.
 *
 * @param rule a stable name of the rule, {@code [a-z-]+}, for scripts
 * @param file the file concerned, relative to the folder; empty for the folder as a whole
 * @param message what is wrong and, where it is not obvious, what to do
 */
public record Finding(Severity severity, String rule, String file, String message) {

  /** An error stops the deployment; a warning does not. */
  public enum Severity {
    ERROR,
    WARNING
  }

  public static Finding error(String rule, String file, String message) {
    return new Finding(Severity.ERROR, rule, file, message);
  }

  public static Finding warning(String rule, String file, String message) {
    return new Finding(Severity.WARNING, rule, file, message);
  }

  @Override
  public String toString() {
    return (severity == Severity.ERROR ? "error: " : "warning: ")
        + (file.isEmpty() ? "" : file + ": ")
        + message
        + " ["
        + rule
        + ']';
  }
}
