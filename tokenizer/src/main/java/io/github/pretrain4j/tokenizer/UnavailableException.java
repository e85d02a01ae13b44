package io.github.pretrain4j.tokenizer;

/** There is nothing to run on: a library that a provider needs is missing or does not load here. */
public final class UnavailableException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final String remedy;

  /**
   * Says what is missing.
   *
   * @param reason what was tried and how it failed
   * @param remedy what the user can do about it
   */
  public UnavailableException(String reason, String remedy, Throwable cause) {
    super(reason + " (" + remedy + ")", cause);
    this.remedy = remedy;
  }

  /** What the user can do about it. */
  public String remedy() {
    return remedy;
  }
}
