/**
 * Datasets to samples for GPT training, in Megatron's order. Start with {@link
 * io.github.pretrain4j.dataset.gpt.GptDataset}; {@link
 * io.github.pretrain4j.dataset.gpt.PretrainingSampler} deals samples into batches.
 *
 * <h2>The cache files of a GPT dataset</h2>
 *
 * <p>A description (JSON, {@link io.github.pretrain4j.dataset.gpt.GptDataset#description}) says all
 * that the indices depend on; its MD5 starts the names {@code HASH-GPTDataset-SPLIT-}:
 *
 * <pre>
 * description.txt      the description
 * document_index.npy   i32 [epochs * sequences]  sequences in shuffled order, epoch by epoch
 * sample_index.npy     i32 [samples + 1, 2]      (place in document_index, token offset) of each
 *                                                sample's first token, and the end
 * shuffle_index.npy    u32 [samples]             the order in which samples are served
 * </pre>
 *
 * <p>{@code .npy} is numpy's format: {@code 93 "NUMPY" 01 00}, the length of the header (u16), a
 * Python dict padded with spaces so that the elements start at byte 128, the elements.
 *
 * <p>{@code SplitMatrix} cuts splits, {@code GptIndex} builds the three arrays with {@code
 * NumpyRandom}, {@code GptIndexCache} keeps them as {@code NpyFile}s, {@code PythonJson} writes the
 * description.
 */
@NullMarked
package io.github.pretrain4j.dataset.gpt;

import org.jspecify.annotations.NullMarked;
