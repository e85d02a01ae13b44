package io.github.pretrain4j.tokenizer;

import java.io.IOException;
import java.nio.file.Path;

/**
 * A kind of tokenizer file. Providers are listed in {@code META-INF/services} and have a public
 * constructor without arguments that does nothing.
 */
public interface TokenizerProvider {

  /** A unique name of {@code [a-z0-9-]+}. */
  String name();

  /**
   * Whether this provider should load {@code fileOrDirectory}, judged by names and first bytes. An
   * unreadable path is not supported.
   */
  boolean supports(Path fileOrDirectory);

  /**
   * Loads a tokenizer.
   *
   * @throws CorruptTokenizerException if the file is damaged
   * @throws UnsupportedTokenizerException if the file needs something this provider does not do
   */
  Tokenizer load(Path fileOrDirectory) throws IOException;
}
