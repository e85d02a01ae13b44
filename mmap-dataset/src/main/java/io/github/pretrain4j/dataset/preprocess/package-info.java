/**
 * JSONL to Megatron datasets. Start with {@link
 * io.github.pretrain4j.dataset.preprocess.Preprocessor}.
 *
 * <p>{@code LineBlockReader} cuts an {@code InputList} into blocks of lines, {@code LineParser}
 * takes texts out of a line, {@code LineEncoder} lets a {@code TokenEncoder} turn them into ids,
 * {@code EncodedBlock} is what becomes of a block, {@code PreprocessPipeline} owns the threads and
 * the order.
 */
@NullMarked
package io.github.pretrain4j.dataset.preprocess;

import org.jspecify.annotations.NullMarked;
