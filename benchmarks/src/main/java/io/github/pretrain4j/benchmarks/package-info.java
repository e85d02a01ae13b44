/**
 * JMH benchmarks. Each class answers one question, and measures a baseline beside the candidate:
 *
 * <pre>
 * class                       question                                      baseline              score
 * SentencePieceEncodeBenchmark  how fast does text become token ids?        the C++ library       bytes/s
 * ByteLevelEncodeBenchmark    how fast does it by a tokenizer.json?         the Rust library      bytes/s
 * DatasetReadBenchmark        do checked random reads keep up?              FileChannel           tokens/s
 * GemmBenchmark               what does the cpu backend's gemm gain?        backend "java"        time a call
 * TrainingStepBenchmark       what does it gain over a whole iteration?     backend "java"        tokens/s
 * </pre>
 *
 * <p>{@code EncodeFigures} is a program of its own for what JMH does not measure: an encoder's
 * first pass, bytes per CPU-second and per token, load time. {@code PreprocessFigures} is another,
 * for what each thread of preprocessing costs. {@code ConvertFigures} is one for converting a model
 * to Megatron and back beside {@code cp} of its files. {@code dataset.gpt.IndexFigures} is one for
 * sample indices and blends beside Megatron's native helpers.
 *
 * <p>Text, datasets, models and weights are generated from fixed seeds; no benchmark needs a file.
 * {@code BenchmarkSmokeTest} runs each class once and lists them all. How to run them: {@code
 * benchmarks/README.md}.
 */
@NullMarked
package io.github.pretrain4j.benchmarks;

import org.jspecify.annotations.NullMarked;
