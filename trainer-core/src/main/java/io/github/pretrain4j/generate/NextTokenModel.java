package io.github.pretrain4j.generate;

/**
 * What generation needs of a model: tokens in, the logits of the next token out. The decoder of
 * {@code nn} is one implementation; tests have others. Confined to one thread at a time.
 */
public interface NextTokenModel extends AutoCloseable {

  /** Token ids are below this; padded rows of the output layer are not counted. */
  int vocabularySize();

  /** The most tokens of prompt and answer together. */
  int contextLength();

  /** An empty context. One is open at a time. */
  Session open();

  /** Frees the weights; idempotent. */
  @Override
  void close();

  /** A growing context and its KV cache. */
  interface Session extends AutoCloseable {

    /** How many tokens the context holds. */
    int length();

    /**
     * Adds tokens to the context.
     *
     * @param tokens at least one
     * @return the logits of the token after the last of them, one per id of the vocabulary; the
     *     caller's to keep
     * @throws IllegalArgumentException if an id is outside the vocabulary or the context would grow
     *     too long
     */
    float[] append(int[] tokens);

    /** Frees the cache; idempotent. */
    @Override
    void close();
  }
}
