/**
 * Megatron datasets: read, write, preprocess from JSONL, and cut into samples for GPT training.
 *
 * <p>Start with {@link io.github.pretrain4j.dataset.IndexedDataset} and {@link
 * io.github.pretrain4j.dataset.IndexedDatasetWriter} for the files, {@link
 * io.github.pretrain4j.dataset.Preprocessor} for JSONL to dataset, {@link
 * io.github.pretrain4j.dataset.GptDataset} for dataset to samples, {@link
 * io.github.pretrain4j.dataset.PretrainingSampler} for samples to batches. Bytes, samples and their
 * order are those of Megatron-LM; core 0.19 unless a class says otherwise.
 *
 * <h2>The files of a dataset</h2>
 *
 * <p>A <i>prefix</i> names two files. All numbers are little-endian.
 *
 * <p>{@code prefix.bin}: the tokens of all sequences, one after the other, nothing else.
 *
 * <p>{@code prefix.idx}, with S sequences and D documents:
 *
 * <pre>
 * byte         size     type  content
 * 0            9              "MMIDIDX", 0, 0
 * 9            8        u64   version, 1
 * 17           1        u8    token type: 1 uint8, 2 int8, 3 int16, 4 int32, 5 int64,
 *                             6 float64, 7 float32, 8 uint16
 * 18           8        u64   S
 * 26           8        u64   D + 1
 * 34           4 S      i32   length of each sequence, in tokens
 * 34 +  4 S    8 S      i64   pointer of each sequence: its first byte in the .bin
 * 34 + 12 S    8 (D+1)  i64   first sequence of each document, then S
 * end of that  S        i8    mode of each sequence; multimodal datasets only, not read here
 * </pre>
 *
 * <p>Pointers start at 0, each is the one before plus that sequence's bytes, and the last sequence
 * ends with the {@code .bin}. Document entries start at 0, do not decrease, and end with S. Two
 * equal ones are an empty document. A sequence may have no tokens. A text of one string is a
 * document of one sequence.
 *
 * <h2>The cache files of a GPT dataset</h2>
 *
 * <p>A description (JSON, {@link io.github.pretrain4j.dataset.GptDataset#description}) says all
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
 * <h2>Who does what</h2>
 *
 * <ul>
 *   <li>Files: {@code MappedFile} and {@code IndexHeader} read; {@code PendingFile} writes beside,
 *       {@code FileCommit} renames, the file that makes the rest visible last.
 *   <li>JSONL: {@code LineBlockReader} cuts blocks of lines, {@code LineParser} takes texts out of
 *       a line, {@code EncodedBlock} is what a worker makes of a block, {@code PreprocessPipeline}
 *       owns the threads and the order.
 *   <li>Samples: {@code SplitMatrix} cuts splits, {@code GptIndex} builds the three arrays with
 *       {@code NumpyRandom}, {@code GptIndexCache} keeps them as {@code NpyFile}s, {@code
 *       PythonJson} writes the description.
 * </ul>
 */
@NullMarked
package io.github.pretrain4j.dataset;

import org.jspecify.annotations.NullMarked;
