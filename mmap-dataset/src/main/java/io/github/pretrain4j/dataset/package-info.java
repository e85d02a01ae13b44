/**
 * Megatron datasets: read, write, preprocess from JSONL, and cut into samples for GPT training.
 *
 * <p>Start with {@link io.github.pretrain4j.dataset.IndexedDataset} and {@link
 * io.github.pretrain4j.dataset.IndexedDatasetWriter} for the files, {@link
 * io.github.pretrain4j.dataset.preprocess.Preprocessor} for JSONL to dataset, {@link
 * io.github.pretrain4j.dataset.gpt.GptDataset} for dataset to samples, {@link
 * io.github.pretrain4j.dataset.gpt.PretrainingSampler} for samples to batches. Bytes, samples and
 * their order are those of Megatron-LM; core 0.19 unless a class says otherwise.
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
 * end of that  S        i8    mode of each sequence; multimodal datasets only, as the size tells
 * </pre>
 *
 * <p>Pointers start at 0, each is the one before plus that sequence's bytes, and the last sequence
 * ends with the {@code .bin}. Document entries start at 0, do not decrease, and end with S. Two
 * equal ones are an empty document. A sequence may have no tokens. A text of one string is a
 * document of one sequence.
 *
 * <h2>Who does what</h2>
 *
 * <ul>
 *   <li>{@code storage}: bytes and files; knows nothing of datasets.
 *   <li>This package: the two files. {@code IndexedDataset}, {@code TokenSpan} and {@code
 *       IndexedDatasetWriter} read and write; {@code DatasetMerger}, {@code DatasetSplitter} and
 *       {@code DatasetStatistics} work on whole datasets; {@code DatasetVerifier} lists what is
 *       wrong, {@code DatasetRepair} mends what can be; {@code DatasetMetadata} is the sidecar.
 *   <li>{@code preprocess}: JSONL to datasets; {@code sentences} cuts texts for it, {@code spark}
 *       does it on Apache Spark.
 *   <li>{@code gpt}: datasets to samples, blends, and the ledger of what a run consumed.
 *   <li>{@code tool}: {@code p4j data}.
 * </ul>
 */
@NullMarked
package io.github.pretrain4j.dataset;

import org.jspecify.annotations.NullMarked;
