package io.github.pretrain4j.deploy;

import java.net.URI;
import org.jspecify.annotations.Nullable;

/** A server answered with an error, or with something that is not the answer asked for. */
public final class ApiException extends DeployException {
  private final int httpStatus;
  private final @Nullable String code;
  private final String bodyExcerpt;

  public ApiException(
      String operation,
      URI uri,
      int httpStatus,
      @Nullable String code,
      String problem,
      String bodyExcerpt,
      @Nullable Throwable cause) {
    super(
        operation
            + ' '
            + uri
            + ": HTTP "
            + httpStatus
            + (code == null ? "" : " " + code)
            + ": "
            + problem
            + (bodyExcerpt.isEmpty() ? "" : "; body: " + bodyExcerpt),
        cause);
    this.httpStatus = httpStatus;
    this.code = code;
    this.bodyExcerpt = bodyExcerpt;
  }

  public int httpStatus() {
    return httpStatus;
  }

  /** The server's own error code, if its body had one. */
  public @Nullable String code() {
    return code;
  }

  /** The beginning of the body, control characters replaced. */
  public String bodyExcerpt() {
    return bodyExcerpt;
  }
}
