/**
 * Two backends on the CPU: {@code java}, plain loops to be trusted, and {@code cpu}, the fast one
 * to be tested against it.
 *
 * <p>Start at {@code HostDevice}: memory and the checks of every argument, the same for both. It
 * calls {@code HostKernels}, of which {@code ReferenceKernels} is the plain one and {@code
 * ParallelKernels} the fast one. The latter cuts each kernel in blocks for the threads of a {@code
 * WorkerPool} and computes a block with {@code RowKernels} (in Vector API or plain Java) and {@code
 * TileGemm} (oneDNN, Vector API or plain Java). How a kernel is cut depends on its sizes only,
 * never on the number of threads, and every sum is taken in one order: results are the same bits
 * for any number of threads.
 *
 * <p>What is missing is done without, and said once in the log: without {@code --add-modules
 * jdk.incubator.vector} rows are computed in plain Java, without oneDNN's native library matrix
 * products are.
 */
@NullMarked
package io.github.pretrain4j.backend.cpu;

import org.jspecify.annotations.NullMarked;
