package io.github.pretrain4j.convert;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/**
 * A conversion that cannot be done, with everything that stands in its way. Nothing has been
 * written.
 */
public final class ConversionException extends IOException {
  private static final long serialVersionUID = 1L;
  private static final int SHOWN = 50;

  private final transient Path input;
  private final transient List<String> problems;

  ConversionException(Path input, List<String> problems) {
    super(message(input, problems));
    this.input = input;
    this.problems = List.copyOf(problems);
  }

  private static String message(Path input, List<String> problems) {
    StringBuilder text = new StringBuilder(input + " cannot be converted:");
    for (String problem : problems.subList(0, Math.min(SHOWN, problems.size()))) {
      text.append("\n  ").append(problem);
    }
    if (problems.size() > SHOWN) {
      text.append("\n  and ").append(problems.size() - SHOWN).append(" more");
    }
    return text.toString();
  }

  /** What was to be converted. */
  public Path input() {
    return input;
  }

  /** Every problem, not only those that the message shows. */
  public List<String> problems() {
    return problems;
  }
}
