package io.github.pretrain4j.deploy;

import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** A deployment, or a call that belongs to one, failed for a reason outside this program. */
public class DeployException extends IOException {
  public DeployException(String message) {
    super(message);
  }

  public DeployException(String message, @Nullable Throwable cause) {
    super(message, cause);
  }
}
