/**
 * The optimizer side of a training step: schedules, gradient clipping and AdamW.
 *
 * <p>Start with {@link io.github.pretrain4j.optim.OptimizerParamScheduler}: a pure function from
 * samples consumed to learning rate and weight decay. {@link io.github.pretrain4j.optim.AdamW} owns
 * the moments of every parameter and runs the update on the device; it also measures and clips the
 * global gradient norm. Everything here follows Megatron-LM: schedules count samples, parameters of
 * one dimension are not decayed, and the gradient norm reported is the one before clipping.
 */
@NullMarked
package io.github.pretrain4j.optim;

import org.jspecify.annotations.NullMarked;
