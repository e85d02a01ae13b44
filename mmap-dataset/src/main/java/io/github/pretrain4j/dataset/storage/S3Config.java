package io.github.pretrain4j.dataset.storage;

import java.net.URI;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * How an S3-compatible store is spoken to.
 *
 * @param endpoint scheme, host and port of the store; objects are at {@code endpoint/bucket/key}
 * @param region what requests are signed for
 * @param credentials what they are signed with, or null for public objects
 * @param timeout for one request and its whole answer
 * @param attempts how often a request is made before the store counts as unavailable
 * @param backoff pause before the second attempt; each further one is twice as long
 */
public record S3Config(
    URI endpoint,
    String region,
    @Nullable S3Credentials credentials,
    Duration timeout,
    int attempts,
    Duration backoff) {
  /** Checks. */
  public S3Config {
    String scheme = endpoint.getScheme();
    boolean web = "http".equals(scheme) || "https".equals(scheme);
    if (!web || endpoint.getHost() == null || endpoint.getRawQuery() != null) {
      throw new IllegalArgumentException("an endpoint is like https://host:port: " + endpoint);
    }
    if (timeout.isNegative() || timeout.isZero() || attempts < 1 || backoff.isNegative()) {
      throw new IllegalArgumentException(
          "timeout " + timeout + ", " + attempts + " attempts, backoff " + backoff);
    }
  }

  /** Amazon's endpoint of a region; a minute for a request, five attempts. */
  public static S3Config amazon(String region, @Nullable S3Credentials credentials) {
    URI endpoint = URI.create("https://s3." + region + ".amazonaws.com");
    return new S3Config(
        endpoint, region, credentials, Duration.ofSeconds(60), 5, Duration.ofMillis(200));
  }

  /** These, at another endpoint. */
  public S3Config withEndpoint(URI value) {
    return new S3Config(value, region, credentials, timeout, attempts, backoff);
  }

  /** These, with other patience. */
  public S3Config withPatience(Duration newTimeout, int newAttempts, Duration newBackoff) {
    return new S3Config(endpoint, region, credentials, newTimeout, newAttempts, newBackoff);
  }
}
