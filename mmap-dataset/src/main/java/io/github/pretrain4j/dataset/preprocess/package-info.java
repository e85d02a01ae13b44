/**
 * JSONL to Megatron datasets. Start with {@link
 * io.github.pretrain4j.dataset.preprocess.Preprocessor}.
 *
 * <p>{@code LineBlockReader} cuts blocks of lines, {@code LineParser} takes texts out of a line,
 * {@code EncodedBlock} is what a worker makes of a block, {@code PreprocessPipeline} owns the
 * threads and the order.
 */
@NullMarked
package io.github.pretrain4j.dataset.preprocess;

import org.jspecify.annotations.NullMarked;
