package io.github.pretrain4j.tokenizer;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.ServiceLoader;
import org.jspecify.annotations.Nullable;

/** Loads a tokenizer of whatever kind its files are. */
public final class Tokenizers {
  private Tokenizers() {}

  /** {@link #load(Path, TokenizerOptions)} with {@link TokenizerOptions#defaults}. */
  public static Tokenizer load(Path fileOrDirectory) throws IOException {
    return load(fileOrDirectory, TokenizerOptions.defaults());
  }

  /**
   * Loads the tokenizer in a file, or in a directory that holds one under its usual name. Without a
   * provider's name in {@code options}, every provider that supports the files is tried in the
   * order of priority; one that finds something it does not do, or has nothing to run on, hands
   * over to the next, and if all have, the first says why.
   *
   * @throws NoSuchFileException if there is nothing at that path
   * @throws UnsupportedTokenizerException if no provider can load the files
   * @throws UnavailableException if the wanted provider misses a library
   * @throws CorruptTokenizerException if the file is damaged
   * @throws IllegalArgumentException if there is no provider of the wanted name
   */
  public static Tokenizer load(Path fileOrDirectory, TokenizerOptions options) throws IOException {
    if (!Files.exists(fileOrDirectory)) {
      throw new NoSuchFileException(fileOrDirectory.toString(), null, "no tokenizer here");
    }
    List<TokenizerProvider> providers = providers();
    if (options.provider() != null) {
      return named(providers, options.provider()).load(fileOrDirectory, options);
    }
    UnsupportedTokenizerException refusal = null;
    UnavailableException missing = null;
    for (TokenizerProvider provider : providers) {
      if (provider.supports(fileOrDirectory)) {
        try {
          return provider.load(fileOrDirectory, options);
        } catch (UnsupportedTokenizerException e) {
          refusal = first(refusal, e);
        } catch (UnavailableException e) {
          missing = first(missing, e);
        }
      }
    }
    if (refusal != null) {
      if (missing != null) {
        refusal.addSuppressed(missing);
      }
      throw refusal;
    }
    if (missing != null) {
      throw missing;
    }
    throw new UnsupportedTokenizerException(
        fileOrDirectory,
        Files.isDirectory(fileOrDirectory)
            ? "a directory without a tokenizer.model or tokenizer.json"
            : "this kind of file",
        "known kinds: " + names(providers));
  }

  private static <E extends Exception> E first(@Nullable E earlier, E later) {
    if (earlier == null) {
      return later;
    }
    earlier.addSuppressed(later);
    return earlier;
  }

  private static TokenizerProvider named(List<TokenizerProvider> providers, String name) {
    for (TokenizerProvider provider : providers) {
      if (provider.name().equals(name)) {
        return provider;
      }
    }
    throw new IllegalArgumentException(
        "no tokenizer provider is named " + name + "; known: " + names(providers));
  }

  private static List<String> names(List<TokenizerProvider> providers) {
    return providers.stream().map(TokenizerProvider::name).toList();
  }

  /** Providers in the order of trying, which does not depend on the class path. */
  private static List<TokenizerProvider> providers() {
    Map<String, TokenizerProvider> byName = new HashMap<>();
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
    List<TokenizerProvider> ordered = new ArrayList<>(byName.values());
    ordered.sort(
        Comparator.comparingInt(TokenizerProvider::priority)
            .reversed()
            .thenComparing(TokenizerProvider::name));
    return ordered;
  }
}
