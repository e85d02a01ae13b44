package io.github.pretrain4j.tokenizer.huggingface;

/**
 * Cuts a text into pre-tokens, the pieces that are encoded each on its own. Immutable.
 *
 * <p>Where a regular expression of a {@code tokenizer.json} is known, a splitter does by hand what
 * the expression says; see {@link KnownPatterns}. All of them work on valid UTF-8 and read no
 * further than 16 bytes behind {@code to}.
 */
interface Splitter {

  /**
   * Where the pre-token that begins at {@code from} ends: above {@code from}, at most {@code to}.
   * The text before {@code from} does not matter.
   */
  int next(byte[] text, int from, int to);
}
