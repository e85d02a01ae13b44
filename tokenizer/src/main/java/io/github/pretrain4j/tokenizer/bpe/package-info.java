/**
 * What byte-pair engines share, whatever file their vocabulary came from: integers only, no text.
 *
 * <p>A <i>symbol</i> is a number for a stretch of text. {@link
 * io.github.pretrain4j.tokenizer.bpe.MergeTable} (immutable, shared) knows which two neighbours
 * become one and in which order; {@link io.github.pretrain4j.tokenizer.bpe.Merger} (one per thread)
 * merges a segment; {@link io.github.pretrain4j.tokenizer.bpe.SegmentCache} (one per thread)
 * remembers the ids of short segments. For the engines of this module; not meant for others.
 */
@NullMarked
package io.github.pretrain4j.tokenizer.bpe;

import org.jspecify.annotations.NullMarked;
