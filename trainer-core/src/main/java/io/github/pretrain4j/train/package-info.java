/**
 * Training as Megatron-LM does it: same options, order of samples, arithmetic of an iteration, log
 * lines and checkpoints.
 *
 * <p>Start with {@link io.github.pretrain4j.train.Trainer}, which holds the loop, and {@link
 * io.github.pretrain4j.train.TrainConfig}, which holds the options. {@link
 * io.github.pretrain4j.train.TrainListener} hears what happens; {@link
 * io.github.pretrain4j.train.MegatronLog} and {@link io.github.pretrain4j.train.MetricsFile} are
 * two of them. {@code ModelChoice} settles which model is trained, {@code TrainData} serves
 * micro-batches, {@code CheckpointSaver} and {@code CheckpointLoader} are the two ends of a resumed
 * run.
 *
 * <pre>
 * try (Trainer trainer = Trainer.create(TrainConfig.parse(flags), new MegatronLog(out, clock, config))) {
 *   trainer.run();
 * }
 * </pre>
 */
@NullMarked
package io.github.pretrain4j.train;

import org.jspecify.annotations.NullMarked;
