/**
 * Hugging Face's {@code tokenizer.json}: byte-pair models with the ids, tokens, offsets and texts
 * of the Python library, version 0.23.2.
 *
 * <p>Start at {@link io.github.pretrain4j.tokenizer.huggingface.HuggingFaceTokenizer}. A file is
 * read by {@code TokenizerFile} (vocabulary, merges, added tokens) and {@code PipelineReader} (all
 * other components). Encoding, in {@code HuggingFaceEncoder}, is a chain:
 *
 * <pre>
 * text             UTF-8 bytes
 * AddedTokenMatcher   tokens with normalized = false become ids, the rest goes on in parts
 * TextStep            normalizer: Nfc, Prepend, Replace
 * AddedTokenMatcher   tokens with normalized = true
 * Splitter            pre-tokens, by KnownPatterns instead of regular expressions
 * SegmentCache        ids of pre-tokens of up to 15 bytes
 * Cuts                places where a longer one can be cut without changing its ids
 * BpeModel, Merger    first symbols, merged
 * </pre>
 *
 * <p>{@code AlignedEncoder} goes the same way slowly, to say where each token came from. What we
 * know of each component:
 *
 * <ul>
 *   <li>normalizer: none, {@code NFC}, {@code Prepend}, {@code Replace} of a plain text, {@code
 *       Sequence}
 *   <li>pre_tokenizer: none, {@code ByteLevel}, {@code Digits}, {@code Metaspace}, {@code Split} at
 *       a plain text (isolated, merged with previous or next) or by the expressions of GPT-2,
 *       Qwen2, Llama-3 and DeepSeek-V3, {@code Sequence}
 *   <li>model: {@code BPE} without dropout, prefix of continuing words and suffix
 *   <li>post_processor: none, {@code ByteLevel}, {@code TemplateProcessing}, {@code
 *       RobertaProcessing}, {@code BertProcessing}, {@code Sequence}
 *   <li>decoder: none, {@code ByteLevel}, {@code Metaspace}, {@code Sequence} of {@code Replace},
 *       {@code ByteFallback}, {@code Fuse}, {@code Strip}
 * </ul>
 *
 * <p>All else is refused by name. Two places differ from the library on purpose: a file whose added
 * tokens have other ids than it would give them is refused (it would warn), and a special token
 * with {@code normalized} decodes to its own text, or none, even if the normaliser changes it.
 */
@NullMarked
package io.github.pretrain4j.tokenizer.huggingface;

import org.jspecify.annotations.NullMarked;
