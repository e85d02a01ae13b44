/**
 * Where the numbers are computed: the service-provider interface that a CPU or GPU backend fills.
 *
 * <p>Start at {@link io.github.pretrain4j.backend.ComputeBackend} (found by {@link
 * io.github.pretrain4j.backend.ComputeBackends}), which opens a {@link
 * io.github.pretrain4j.backend.ComputeDevice}: memory as {@link
 * io.github.pretrain4j.backend.DeviceBuffer}s and some twenty coarse kernels. Knows nothing of
 * layers, tapes or optimizers; those are built on top in {@code tensor}, {@code nn} and {@code
 * optim}.
 *
 * <p>Everything is fp32 or int32, dense and row-major. Buffer arguments end in their shape:
 *
 * <pre>
 * B  sequences of a micro-batch   T  tokens of a sequence   N  rows, B * T
 * D  hidden size                  O  outputs of a linear    F  MLP width
 * H  query heads, G * R           G  query groups           R  query heads per group
 * K  head width                   V  vocabulary, padded     C  capacity of a key-value cache
 * W  width of the fused QKV, G * (R + 2) * K: per group its R query heads, its key head, its value head
 * </pre>
 */
@NullMarked
package io.github.pretrain4j.backend;

import org.jspecify.annotations.NullMarked;
