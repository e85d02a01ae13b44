package io.github.pretrain4j.dataset.preprocess;

/** There is nothing to run on: a library that an input needs is missing or does not load here. */
public final class UnavailableException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final String remedy;

  UnavailableException(String reason, String remedy, Throwable cause) {
    super(reason + " (" + remedy + ")", cause);
    this.remedy = remedy;
  }

  /** What the user can do about it. */
  public String remedy() {
    return remedy;
  }
}
