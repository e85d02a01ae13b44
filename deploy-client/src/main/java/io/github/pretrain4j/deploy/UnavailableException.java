package io.github.pretrain4j.deploy;

/** There is nothing to deploy to: the message has the reason and the remedy. */
public final class UnavailableException extends RuntimeException {
  public UnavailableException(String reason, String remedy) {
    super(reason + "; " + remedy);
  }
}
