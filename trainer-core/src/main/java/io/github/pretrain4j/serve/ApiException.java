package io.github.pretrain4j.serve;

import org.jspecify.annotations.Nullable;

/** A refusal: what the client gets as status and error object. */
final class ApiException extends Exception {

  private static final long serialVersionUID = 1;

  private final int status;
  private final String code;
  private final @Nullable String parameter;

  ApiException(int status, String code, @Nullable String parameter, String message) {
    super(message, null, false, false);
    this.status = status;
    this.code = code;
    this.parameter = parameter;
  }

  static ApiException invalid(@Nullable String parameter, String message) {
    return new ApiException(400, "invalid_value", parameter, message);
  }

  int status() {
    return status;
  }

  String code() {
    return code;
  }

  @Nullable String parameter() {
    return parameter;
  }

  /** The family of the error, as OpenAI's clients sort them. */
  String type() {
    if (status == 503) {
      return "overloaded_error";
    }
    return status >= 500 ? "server_error" : "invalid_request_error";
  }

  @Override
  public String getMessage() {
    return String.valueOf(super.getMessage());
  }
}
