/**
 * What Megatron's {@code --tokenizer-type} makes of a tokenizer: which ids a document becomes, what
 * ends it, and how many ids there are. Start at {@link
 * io.github.pretrain4j.tokenizer.megatron.MegatronTokenizer#open}.
 *
 * <pre>
 * type                       ids of a text                              eod         size
 * Llama2Tokenizer            encode(text); up to core_r0.14 bos first   eos         pieces
 * GPTSentencePieceTokenizer  encode(text)                               eos         pieces
 * SentencePieceTokenizer     encode(text)                               eos         pieces
 *   legacy                   special tokens cut out and kept whole      eos         pieces + added tokens
 *   up to core_r0.14         the same with tokens of its own            {@literal <EOD>}       pieces + added tokens
 * HuggingFaceTokenizer       with the file's template, or without       eos         vocabulary + added tokens
 * NullTokenizer              numbers with one space between             size - 1    given; up to core_r0.14 one more
 * </pre>
 *
 * <p>"Up to core_r0.14" is {@code megatron/training/tokenizer/tokenizer.py}, which later releases
 * do not have; the rest is {@code megatron/core/tokenizers}.
 *
 * @see <a href="https://github.com/NVIDIA/Megatron-LM">The reference program</a>
 */
@NullMarked
package io.github.pretrain4j.tokenizer.megatron;

import org.jspecify.annotations.NullMarked;
