/**
 * SentencePiece models in pure Java: read, write, encode, decode, train. Plugs into {@link
 * io.github.pretrain4j.tokenizer.TokenizerProvider} through {@link
 * io.github.pretrain4j.tokenizer.sentencepiece.SentencePieceProvider}.
 *
 * <p>Start at {@link io.github.pretrain4j.tokenizer.sentencepiece.SentencePieceTokenizer}: text
 * goes through {@code Normalizer} (UTF-16 in, UTF-16 out), {@code BpeEncoder} cuts it where no
 * piece can span, merges inside the cuts with the tables of {@code BpeVocabulary}, and ids come
 * back through {@code SentencePieceDecoder}. {@link
 * io.github.pretrain4j.tokenizer.sentencepiece.SentencePieceModel} is the file; {@link
 * io.github.pretrain4j.tokenizer.sentencepiece.BpeTrainer} makes one from text.
 *
 * <p>The file is a bare protobuf message {@code ModelProto}, without magic or version:
 *
 * <pre>
 * ModelProto      1 pieces*        2 trainer_spec   3 normalizer_spec   4 self_test_data   5 denormalizer_spec
 * SentencePiece   1 piece          2 score (float)  3 type (NORMAL 1, UNKNOWN 2, CONTROL 3, USER_DEFINED 4,
 *                                                             UNUSED 5, BYTE 6)
 * TrainerSpec     3 model_type     4 vocab_size     24 treat_whitespace_as_suffix        35 byte_fallback
 *                 40-43 unk, bos, eos, pad id       44 unk_surface      45-48 unk, bos, eos, pad piece
 * NormalizerSpec  1 name           2 precompiled_charsmap               3 add_dummy_prefix
 *                 4 remove_extra_whitespaces        5 escape_whitespaces
 * SelfTestData    1 samples*       Sample: 1 input  2 expected
 * </pre>
 *
 * <p>Fields we do not know, outside the pieces, are kept byte for byte through reading and writing.
 *
 * @see <a href="https://github.com/google/sentencepiece">The reference program</a>
 */
@NullMarked
package io.github.pretrain4j.tokenizer.sentencepiece;

import org.jspecify.annotations.NullMarked;
