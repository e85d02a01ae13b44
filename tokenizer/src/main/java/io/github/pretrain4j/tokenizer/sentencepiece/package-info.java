/**
 * SentencePiece models in pure Java: read, write, encode, decode, train, extend. Plugs into {@link
 * io.github.pretrain4j.tokenizer.TokenizerProvider} through {@link
 * io.github.pretrain4j.tokenizer.sentencepiece.SentencePieceProvider}.
 *
 * <p>Start at {@link io.github.pretrain4j.tokenizer.sentencepiece.SentencePieceTokenizer}. {@link
 * io.github.pretrain4j.tokenizer.sentencepiece.SentencePieceModel} is the file. How a text becomes
 * ids:
 *
 * <pre>
 * UTF-8 -> Normalizer -> prepared text: well-formed UTF-8, U+2581 as one space byte
 *       -> SentencePieceEncoder: cuts it into segments where CharacterTable says no piece can cross,
 *          knows single characters from that table and short segments from its caches
 *       -> what it does not know: a SegmentEngine, one for each model type
 *            BpeSegments (BpeVocabulary)   UnusedBpeSegments   UnigramSegments (UnigramVocabulary)   WholeSegments
 * the same with places in the text: OffsetEncoder, in one pass without cuts and caches
 * ids -> SentencePieceDecoder -> text
 * </pre>
 *
 * <p>Models are made by {@link io.github.pretrain4j.tokenizer.sentencepiece.BpeTrainer}, {@link
 * io.github.pretrain4j.tokenizer.sentencepiece.UnigramTrainer} and {@link
 * io.github.pretrain4j.tokenizer.sentencepiece.VocabularyExtender}:
 *
 * <pre>
 * text -> TrainingWords: words, with counts, that no piece can cross (WordCutter, by PieceRules)
 *   BPE       BpeMerging, from characters; an extension goes on from what PieceMerges leaves
 *   unigram   SuffixArray -> UnigramSeeds -> UnigramLattice: estimate and prune in turn
 * </pre>
 *
 * <p>Releases of the C++ library differ in how they add up unigram scores, see {@link
 * io.github.pretrain4j.tokenizer.UnigramScores}. In another point we follow those up to 0.2.1: 0.0
 * and -0.0 are one score.
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
 * <p>A model that was read is written byte for byte, with fields we do not know.
 *
 * @see <a href="https://github.com/google/sentencepiece">The reference program</a>
 */
@NullMarked
package io.github.pretrain4j.tokenizer.sentencepiece;

import org.jspecify.annotations.NullMarked;
