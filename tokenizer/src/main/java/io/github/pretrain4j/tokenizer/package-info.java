/**
 * Tokenizers: text to ids and back, with the ids of the reference programs.
 *
 * <p>Start at {@link io.github.pretrain4j.tokenizer.Tokenizers#load}, which asks every {@link
 * io.github.pretrain4j.tokenizer.TokenizerProvider} (found by {@link java.util.ServiceLoader})
 * whether a file is its own. A {@link io.github.pretrain4j.tokenizer.Tokenizer} is immutable and
 * shared by all threads; only a {@link io.github.pretrain4j.tokenizer.StreamingDecoder} has state.
 * What cannot be read ends in a {@link io.github.pretrain4j.tokenizer.CorruptTokenizerException},
 * what is sound but not implemented in an {@link
 * io.github.pretrain4j.tokenizer.UnsupportedTokenizerException}; nothing is approximated.
 *
 * <p>Edges: {@code tool} reads {@code sentencepiece} and this package, {@code djl} (the C++ library
 * as a second provider) reads the same two, {@code sentencepiece} reads this package, this package
 * reads none of them. {@code megatron} (what Megatron makes of a tokenizer) reads this package.
 * {@code huggingface} reads this package and {@code bpe}, which reads nothing.
 */
@NullMarked
package io.github.pretrain4j.tokenizer;

import org.jspecify.annotations.NullMarked;
