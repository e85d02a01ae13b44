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
   * Where several providers support the files, the one with the highest priority loads them; of
   * equals, the first by name. Our own engines have 10 and 20; a negative priority means: only when
   * all others decline, or by name.
   */
  int priority();

  /**
   * Whether this provider should load {@code fileOrDirectory}, judged by names and first bytes. An
   * unreadable path is not supported. Touches nothing native.
   */
  boolean supports(Path fileOrDirectory);

  /**
   * Loads a tokenizer. {@link TokenizerOptions#provider} has been acted upon already.
   *
   * @throws CorruptTokenizerException if the file is damaged
   * @throws UnsupportedTokenizerException if the file, or an option, needs something this provider
   *     does not do
   */
  Tokenizer load(Path fileOrDirectory, TokenizerOptions options) throws IOException;
}
