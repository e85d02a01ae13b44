package io.github.pretrain4j.deploy;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Map;

/**
 * One service of one target: everything {@code status} and {@code stop} need to find it.
 *
 * @param name the model's name, which is also a directory under {@code store}
 * @param store directory of the journals, and of the models where the target keeps them here
 * @param settings the target's own settings by name, such as {@code server-command}
 */
public record ServiceReference(String name, Path store, Map<String, String> settings) {
  private static final int MAX_NAME_BYTES = 200; // leaves room for suffixes in a 255-byte file name

  public ServiceReference {
    settings = Map.copyOf(settings);
    store = store.toAbsolutePath().normalize();
    boolean safe =
        !name.isBlank()
            && !name.startsWith(".")
            && name.codePoints()
                .noneMatch(c -> c == '/' || c == '\\' || c == ':' || Character.isISOControl(c));
    if (!safe) {
      throw new IllegalArgumentException(
          "model name '"
              + name
              + "' must not be blank, start with a dot, or contain a slash, backslash, colon or control character");
    }
    if (name.getBytes(StandardCharsets.UTF_8).length > MAX_NAME_BYTES) {
      throw new IllegalArgumentException(
          "model name '" + name + "' is longer than " + MAX_NAME_BYTES + " bytes");
    }
  }

  /** Where this service keeps its files. */
  public Path directory() {
    return store.resolve(name);
  }
}
