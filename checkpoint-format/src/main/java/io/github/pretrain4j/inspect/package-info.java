/**
 * Looks into checkpoints of any format: what is in them, how two differ, whether one is whole.
 *
 * <p>Start at {@link io.github.pretrain4j.inspect.CheckpointContents}, {@link
 * io.github.pretrain4j.inspect.CheckpointDifference} and {@link
 * io.github.pretrain4j.inspect.CheckpointVerification}; {@link
 * io.github.pretrain4j.inspect.CheckpointTool} is their command line. A path may be a Hugging Face
 * directory, a Megatron checkpoint or one of its iterations, or a single safetensors or torch file.
 *
 * <p>Data is streamed: one buffer per worker, whatever the size of the checkpoint.
 */
@NullMarked
package io.github.pretrain4j.inspect;

import org.jspecify.annotations.NullMarked;
