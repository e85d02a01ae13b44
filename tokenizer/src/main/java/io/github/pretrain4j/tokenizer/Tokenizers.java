package io.github.pretrain4j.tokenizer;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Map;
import java.util.ServiceLoader;
import java.util.TreeMap;

/** Loads a tokenizer of whatever kind its files are. */
public final class Tokenizers {
  private Tokenizers() {}

  /**
   * Loads the tokenizer in a file, or in a directory that holds a {@code tokenizer.model}.
   *
   * @throws NoSuchFileException if there is nothing at that path
   * @throws UnsupportedTokenizerException if no provider knows this kind of file
   * @throws CorruptTokenizerException if the file is damaged
   */
  public static Tokenizer load(Path fileOrDirectory) throws IOException {
    if (!Files.exists(fileOrDirectory)) {
      throw new NoSuchFileException(fileOrDirectory.toString(), null, "no tokenizer here");
    }
    Map<String, TokenizerProvider> providers = providers();
    for (TokenizerProvider provider : providers.values()) {
      if (provider.supports(fileOrDirectory)) {
        return provider.load(fileOrDirectory);
      }
    }
    throw new UnsupportedTokenizerException(
        fileOrDirectory,
        Files.isDirectory(fileOrDirectory)
            ? "a directory without a tokenizer.model"
            : "this kind of file",
        "known kinds: " + providers.keySet());
  }

  /** Providers by name, in name order, so that the choice does not depend on the class path. */
  private static Map<String, TokenizerProvider> providers() {
    Map<String, TokenizerProvider> byName = new TreeMap<>();
    for (TokenizerProvider provider :
        ServiceLoader.load(TokenizerProvider.class, Tokenizers.class.getClassLoader())) {
      TokenizerProvider other = byName.put(provider.name(), provider);
      if (other != null) {
        throw new IllegalStateException(
            "two tokenizer providers are named "
                + provider.name()
                + ": "
                + other.getClass().getName()
                + " and "
                + provider.getClass().getName());
      }
    }
    return byName;
  }
}
