/**
 * JSONL to Megatron datasets. Start with {@link
 * io.github.pretrain4j.dataset.preprocess.Preprocessor}.
 *
 * <p>{@code LineBlockReader} cuts an {@code InputList} into blocks of lines, {@code LineParser}
 * takes texts out of a line, {@code LineEncoder} lets a {@code TokenEncoder} turn them into ids,
 * {@code EncodedBlock} is what becomes of a block, {@code PreprocessPipeline} owns the threads and
 * the order.
 *
 * <p>{@code PreprocessRun} takes the blocks in order and is the one to read for what happens when a
 * process is killed: {@code OutputDatasets} and {@code RejectedLines} write files that {@code
 * ResumableFiles} can reopen, {@code Checkpoints} forces them to disk on a thread of its own, and
 * {@code Journal} then records how far they are.
 */
@NullMarked
package io.github.pretrain4j.dataset.preprocess;

import org.jspecify.annotations.NullMarked;
