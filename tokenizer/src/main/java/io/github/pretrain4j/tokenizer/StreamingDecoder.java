package io.github.pretrain4j.tokenizer;

/**
 * Decodes ids as they are generated. The concatenation of everything returned, {@link #finish}
 * included, equals {@link Tokenizer#decode} of all ids; no returned string ends inside a character.
 * Not thread-safe.
 */
public interface StreamingDecoder {

  /**
   * Takes the next id and returns the text that is now certain, possibly none.
   *
   * @throws IllegalArgumentException if the id is out of range; the state is unchanged
   */
  String accept(int id);

  /** Ends the sequence and returns what was held back. The decoder is then as new. */
  String finish();
}
