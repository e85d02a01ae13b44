package io.github.pretrain4j.nn;

import java.io.IOException;
import java.util.List;

/** The tensors of a checkpoint are not those of the model; lists every difference. */
public final class WeightMismatchException extends IOException {
  private static final long serialVersionUID = 1;

  private final transient List<String> differences;

  WeightMismatchException(String origin, List<String> differences) {
    super(
        origin
            + ": "
            + differences.size()
            + " of the tensors are not those of the model:\n  "
            + String.join("\n  ", differences));
    this.differences = List.copyOf(differences);
  }

  /** One line per tensor. */
  public List<String> differences() {
    return differences;
  }
}
