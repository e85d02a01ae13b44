package io.github.pretrain4j.dataset.storage;

import org.jspecify.annotations.Nullable;

/**
 * A key pair for S3.
 *
 * @param accessKeyId its public half
 * @param secretAccessKey its secret half
 * @param sessionToken what comes with temporary keys, or null
 */
public record S3Credentials(
    String accessKeyId, String secretAccessKey, @Nullable String sessionToken) {
  /** Checks. */
  public S3Credentials {
    if (accessKeyId.isBlank() || secretAccessKey.isBlank()) {
      throw new IllegalArgumentException("a key must not be blank");
    }
  }

  /** Without the secrets. */
  @Override
  public String toString() {
    return "S3Credentials[" + accessKeyId + "]";
  }
}
