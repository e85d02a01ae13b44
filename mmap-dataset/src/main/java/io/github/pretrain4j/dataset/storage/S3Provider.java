package io.github.pretrain4j.dataset.storage;

import java.io.IOException;
import java.net.URI;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Objects of S3-compatible stores: {@code s3://bucket/key}. With a config, or as the service loader
 * makes it: then endpoint, region and keys are those that the environment names as Amazon's own
 * programs do ({@code AWS_ENDPOINT_URL_S3} or {@code AWS_ENDPOINT_URL}, {@code AWS_REGION} or
 * {@code AWS_DEFAULT_REGION}, {@code AWS_ACCESS_KEY_ID}, {@code AWS_SECRET_ACCESS_KEY}, {@code
 * AWS_SESSION_TOKEN}); without keys, requests are not signed.
 */
public final class S3Provider implements ByteRangeSourceProvider {
  private final Function<String, @Nullable String> environment;
  private final @Nullable S3Config config;

  /** For the service loader: by the environment, which is looked at when something is opened. */
  public S3Provider() {
    this(System::getenv, null);
  }

  /** For stores that the caller describes. */
  public S3Provider(S3Config config) {
    this(name -> null, config);
  }

  private S3Provider(Function<String, @Nullable String> environment, @Nullable S3Config config) {
    this.environment = environment;
    this.config = config;
  }

  /** As the service loader makes it, with another environment. */
  static S3Provider of(Function<String, @Nullable String> environment) {
    return new S3Provider(environment, null);
  }

  @Override
  public String scheme() {
    return "s3";
  }

  @Override
  public ByteRangeSource open(String location) throws IOException {
    return S3RangeSource.open(location, config());
  }

  /** How the store is spoken to. */
  S3Config config() {
    if (config != null) {
      return config;
    }
    String region = first("AWS_REGION", "AWS_DEFAULT_REGION");
    String id = environment.apply("AWS_ACCESS_KEY_ID");
    String secret = environment.apply("AWS_SECRET_ACCESS_KEY");
    S3Credentials credentials =
        id == null || secret == null
            ? null
            : new S3Credentials(id, secret, environment.apply("AWS_SESSION_TOKEN"));
    S3Config found = S3Config.amazon(region == null ? "us-east-1" : region, credentials);
    String endpoint = first("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL");
    return endpoint == null ? found : found.withEndpoint(URI.create(endpoint));
  }

  private @Nullable String first(String... names) {
    for (String name : names) {
      String value = environment.apply(name);
      if (value != null && !value.isEmpty()) {
        return value;
      }
    }
    return null;
  }
}
