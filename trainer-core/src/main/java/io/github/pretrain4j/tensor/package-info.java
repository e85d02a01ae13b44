/**
 * What an architecture is written with: parameters, activations, and a tape of operations.
 *
 * <p>Start at {@link io.github.pretrain4j.tensor.Tape}: every operation of a model is a method
 * there, and holds its forward and its backward pass side by side. {@link
 * io.github.pretrain4j.tensor.ParameterStore} owns the weights and their gradients; {@link
 * io.github.pretrain4j.tensor.KvCache} the keys and values of a text being generated. The kernels
 * are the {@code backend}'s. Everything is fp32.
 *
 * <p>Shape letters are those of the {@code backend} package.
 */
@NullMarked
package io.github.pretrain4j.tensor;

import org.jspecify.annotations.NullMarked;
