package io.github.pretrain4j.deploy;

import java.time.Duration;

/** Something did not happen within the time it was given. */
public final class DeployTimeoutException extends DeployException {
  private final transient Duration timeout;

  public DeployTimeoutException(String what, Duration timeout, String detail) {
    super(what + " did not finish within " + timeout.toMillis() / 1000.0 + " s" + detail);
    this.timeout = timeout;
  }

  public Duration timeout() {
    return timeout;
  }
}
