package io.github.pretrain4j.backend;

/**
 * There is nothing to run on: no backend of that name works here. Carries the reason and the
 * remedy.
 */
public final class UnavailableException extends RuntimeException {
  private final String remedy;

  public UnavailableException(String reason, String remedy) {
    super(reason + " (" + remedy + ")");
    this.remedy = remedy;
  }

  /** What the user can do about it. */
  public String remedy() {
    return remedy;
  }
}
