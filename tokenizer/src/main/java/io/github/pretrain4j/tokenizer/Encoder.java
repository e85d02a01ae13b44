package io.github.pretrain4j.tokenizer;

/**
 * Encodes text after text on one thread: owns the cache and the working memory that a {@link
 * Tokenizer} may not have. In the steady state it allocates nothing. Not thread-safe; make one for
 * each thread with {@link Tokenizer#newEncoder}.
 *
 * <p>Every method appends to {@code out} and, if it throws, leaves {@code out} as it was. The ids
 * do not depend on what was encoded before.
 */
public interface Encoder {

  /**
   * Appends the ids of a text. A lone surrogate counts as U+FFFD.
   *
   * @return how many ids were appended
   * @throws IllegalArgumentException if the model cannot represent the text, or it is too long
   */
  int encode(CharSequence text, TokenBuffer out);

  /**
   * Appends the ids of UTF-8 bytes {@code [from, to)}. A malformed byte counts as U+FFFD, as in the
   * reference program of the tokenizer's kind. The fastest way in: nothing is converted.
   *
   * @return how many ids were appended
   * @throws IllegalArgumentException if the model cannot represent the text, or it is too long
   * @throws IndexOutOfBoundsException if the range is not inside the array
   */
  int encodeUtf8(byte[] utf8, int from, int to, TokenBuffer out);
}
