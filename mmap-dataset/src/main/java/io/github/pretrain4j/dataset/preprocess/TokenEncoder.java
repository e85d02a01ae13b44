package io.github.pretrain4j.dataset.preprocess;

/**
 * Turns one text into token ids; the seam between preprocessing and any tokenizer.
 *
 * <p>Implementations are thread-safe: all workers share one. The ids are those of the text alone,
 * without begin or end marks ({@link Preprocessor} appends the eod). A text that cannot be encoded
 * is an {@link IllegalArgumentException}; it is reported with its line.
 */
@FunctionalInterface
public interface TokenEncoder {
  /** The ids of this text, in order; an empty array for a text without tokens. */
  int[] encode(String text);
}
