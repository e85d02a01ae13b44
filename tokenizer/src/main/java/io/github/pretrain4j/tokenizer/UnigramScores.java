package io.github.pretrain4j.tokenizer;

/**
 * How the scores of a unigram SentencePiece model are added up. The sum decides between divisions
 * that are equally likely but for rounding, as {@code l ll} and {@code ll l}; releases of the C++
 * library differ in that. On Chinese and English documents of some thousand characters one in six
 * has such a place.
 */
public enum UnigramScores {
  /** Floats, as SentencePiece 0.2.2 does. */
  SINGLE_PRECISION,
  /** Doubles compared with floats, as SentencePiece up to 0.2.1 does. */
  MIXED_PRECISION
}
