package io.github.pretrain4j.tokenizer;

import org.jspecify.annotations.Nullable;

/**
 * How to load a tokenizer.
 *
 * @param provider name of the provider to use; null for the first that supports the files
 * @param specialTokens what a special token's text in a text means
 * @param unigramScores which releases of SentencePiece to follow where they differ
 * @param cacheSlots how many segments each encoder remembers, a power of two from 2^4 to 2^24; more
 *     is faster for text with many different words and takes 33 bytes a slot
 */
public record TokenizerOptions(
    @Nullable String provider,
    SpecialTokens specialTokens,
    UnigramScores unigramScores,
    int cacheSlots) {
  private static final int DEFAULT_CACHE_SLOTS = 1 << 18;

  /** Checks the values. */
  public TokenizerOptions {
    if (cacheSlots < 1 << 4 || cacheSlots > 1 << 24 || Integer.bitCount(cacheSlots) != 1) {
      throw new IllegalArgumentException(
          "cacheSlots must be a power of two from 16 to 16777216, is " + cacheSlots);
    }
  }

  /**
   * Any provider, the reference's treatment of special tokens, the newest SentencePiece, a cache of
   * 9 MiB an encoder.
   */
  public static TokenizerOptions defaults() {
    return new TokenizerOptions(
        null, SpecialTokens.AS_REFERENCE, UnigramScores.SINGLE_PRECISION, DEFAULT_CACHE_SLOTS);
  }

  /** The same with a provider chosen by name. */
  public TokenizerOptions withProvider(String name) {
    return new TokenizerOptions(name, specialTokens, unigramScores, cacheSlots);
  }

  /** The same with another treatment of special tokens. */
  public TokenizerOptions withSpecialTokens(SpecialTokens treatment) {
    return new TokenizerOptions(provider, treatment, unigramScores, cacheSlots);
  }

  /** The same with another size of the cache. */
  public TokenizerOptions withCacheSlots(int slots) {
    return new TokenizerOptions(provider, specialTokens, unigramScores, slots);
  }

  /** The same with another arithmetic of unigram scores. */
  public TokenizerOptions withUnigramScores(UnigramScores scores) {
    return new TokenizerOptions(provider, specialTokens, scores, cacheSlots);
  }
}
