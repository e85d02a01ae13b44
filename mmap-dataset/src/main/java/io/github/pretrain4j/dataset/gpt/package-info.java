/**
 * Datasets to samples for GPT training, in Megatron's order. Start with {@link
 * io.github.pretrain4j.dataset.gpt.SampleSplits}, which makes {@link
 * io.github.pretrain4j.dataset.gpt.GptDataset}s and {@link
 * io.github.pretrain4j.dataset.gpt.BlendedDataset}s of a {@link
 * io.github.pretrain4j.dataset.gpt.Blend}. {@link io.github.pretrain4j.dataset.gpt.TrainingData} is
 * the same for a run that may change its blend, as its {@link
 * io.github.pretrain4j.dataset.gpt.DataLedger} says. {@link
 * io.github.pretrain4j.dataset.gpt.PretrainingSampler}, {@link
 * io.github.pretrain4j.dataset.gpt.CyclicSampler} and {@link
 * io.github.pretrain4j.dataset.gpt.FullValidationSampler} deal samples into batches.
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
 * <p>Read are also i64 in place of i32 in the second and of u32 in the third, and the names of Core
 * 0.6, which have no {@code SPLIT-}. A blend has {@code HASH-BlendedDataset-SPLIT-}:
 *
 * <pre>
 * description.txt           the description
 * dataset_index.npy         i16 [samples]  the dataset of each sample
 * dataset_sample_index.npy  i64 [samples]  its place in the order of that dataset
 * </pre>
 *
 * <p>and a later phase of a run the same as {@code HASH-BlendPhase-SPLIT-}, counted from the
 * phase's beginning.
 *
 * <p>{@code .npy} is numpy's format: {@code 93 "NUMPY" 01 00}, the length of the header (u16), a
 * Python dict padded with spaces so that the elements start at byte 128, the elements.
 *
 * <p>{@code SplitMatrix} cuts splits, {@code GptIndex} builds the three arrays with {@code
 * NumpyRandom}, {@code BlendIndex} those of a blend; {@code IndexCache} keeps them as {@code
 * NpyFile}s and maps them as {@code IndexArray}s, {@code GptIndexCache} checks them, {@code
 * PythonJson} writes the description.
 */
@NullMarked
package io.github.pretrain4j.dataset.gpt;

import org.jspecify.annotations.NullMarked;
