/**
 * Hugging Face model directories: weights in one or more shards, their index, and the small files
 * beside them.
 *
 * <p>Start at {@link io.github.pretrain4j.checkpoint.huggingface.HuggingFaceCheckpoint} to read one
 * and at {@link io.github.pretrain4j.checkpoint.huggingface.HuggingFaceWriter} to make one. Names
 * and formats:
 *
 * <pre>
 *                safetensors                          torch
 *   one file     model.safetensors                    pytorch_model.bin
 *   shard k/n    model-0000k-of-0000n.safetensors     pytorch_model-0000k-of-0000n.bin
 *   index        model.safetensors.index.json         pytorch_model.bin.index.json
 *
 *   index        {"metadata": {"total_size": bytes, …}, "weight_map": {tensor: file, …}}
 * </pre>
 *
 * <p>A reader prefers them in the order one safetensors file, safetensors index, one torch file,
 * torch index.
 */
@NullMarked
package io.github.pretrain4j.checkpoint.huggingface;

import org.jspecify.annotations.NullMarked;
