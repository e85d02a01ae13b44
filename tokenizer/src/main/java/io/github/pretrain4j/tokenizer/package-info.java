/**
 * Tokenizers: text to ids and back, with the ids of the reference programs.
 *
 * <p>Start at {@link io.github.pretrain4j.tokenizer.Tokenizers#load}, which asks every {@link
 * io.github.pretrain4j.tokenizer.TokenizerProvider} (found by {@link java.util.ServiceLoader})
 * whether a file is its own. A {@link io.github.pretrain4j.tokenizer.Tokenizer} is immutable and
 * shared by all threads; an {@link io.github.pretrain4j.tokenizer.Encoder}, which has buffers and a
 * cache, belongs to one, and so does a {@link io.github.pretrain4j.tokenizer.StreamingDecoder}.
 * What cannot be read ends in a {@link io.github.pretrain4j.tokenizer.CorruptTokenizerException},
 * what is sound but not implemented in an {@link
 * io.github.pretrain4j.tokenizer.UnsupportedTokenizerException}; nothing is approximated.
 *
 * <pre>
 * this package     the door: Tokenizers, Tokenizer, Encoder, the provider SPI, errors; reads none of the others
 * sentencepiece    tokenizer.model: our engine, its file, training          reads bpe
 * huggingface      tokenizer.json: our engine                               reads bpe
 * djl              tokenizer.model: the C++ library, a second provider      reads sentencepiece
 * megatron         what --tokenizer-type makes of a tokenizer               reads this package only
 * bpe              what byte-pair engines share                             reads nothing
 * tool             the command line, p4j-tokenizer                          reads sentencepiece
 * </pre>
 */
@NullMarked
package io.github.pretrain4j.tokenizer;

import org.jspecify.annotations.NullMarked;
