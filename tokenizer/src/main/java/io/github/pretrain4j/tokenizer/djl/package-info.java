/**
 * The C++ SentencePiece library behind DJL's wrapper, as a second provider for {@code
 * tokenizer.model} files: the yardstick of our own engine, and what takes over where that declines.
 * Needs {@code ai.djl.sentencepiece:sentencepiece} on the class path, which the module only names
 * as optional; without it everything else works and this provider says what is missing.
 *
 * <p>Start at {@link io.github.pretrain4j.tokenizer.djl.DjlSentencePieceProvider}. Only {@code
 * NativeSentencePiece} touches the library, below DJL's public classes, for these reasons:
 *
 * <pre>
 * DJL's classes                                          here
 * telemetry: requests to the network at first use        those classes are not used; no property is set
 * a lone surrogate becomes '?'                           replaced by U+FFFD before the call
 * decode garbles characters above U+FFFF, cuts at NUL    ids become text by our own decoder
 * getToken of a bad id ends the process                  pieces come from the model file, ids are checked
 * encode after close, close twice: the process dies      nothing to close: freed when unreachable
 * no vocabulary size, no special ids                     read from the model file
 * no places in the text                                  our engine's, if ids and pieces agree with it
 * </pre>
 *
 * <p>DJL copies the library to {@code ~/.djl.ai} (or to what {@code DJL_CACHE_DIR} or {@code
 * ENGINE_CACHE_DIR} names) and loads it from there: one of these must be writable. Nothing is
 * downloaded.
 */
@NullMarked
package io.github.pretrain4j.tokenizer.djl;

import org.jspecify.annotations.NullMarked;
