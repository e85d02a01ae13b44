package io.github.pretrain4j.dataset.storage;

import java.io.IOException;
import java.util.ServiceLoader;
import java.util.TreeMap;

/**
 * Opens addresses of one scheme. Found by the service loader, or handed over where a source is
 * opened. Constructors for the service loader are public and empty and connect to nothing.
 */
public interface ByteRangeSourceProvider {
  /** What stands before {@code ://} in an address: {@code s3}, {@code file}. */
  String scheme();

  /**
   * Opens the bytes at an address.
   *
   * @throws ObjectStorageException if there are none, or they cannot be had
   */
  ByteRangeSource open(String location) throws IOException;

  /**
   * The provider on the class path for this address's scheme.
   *
   * @throws IllegalArgumentException if there is none, or two; lists those known
   */
  static ByteRangeSourceProvider forLocation(String location) {
    int end = location.indexOf("://");
    if (end <= 0) {
      throw new IllegalArgumentException(
          location + ": an address starts with its scheme, like s3://");
    }
    String scheme = location.substring(0, end);
    TreeMap<String, ByteRangeSourceProvider> known = new TreeMap<>();
    for (ByteRangeSourceProvider provider : ServiceLoader.load(ByteRangeSourceProvider.class)) {
      if (known.put(provider.scheme(), provider) != null) {
        throw new IllegalArgumentException("two providers for " + provider.scheme() + "://");
      }
    }
    ByteRangeSourceProvider found = known.get(scheme);
    if (found == null) {
      throw new IllegalArgumentException(
          location + ": no provider for " + scheme + "://; known: " + known.keySet());
    }
    return found;
  }
}
