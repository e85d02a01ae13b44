package io.github.pretrain4j.backend.cpu;

import io.github.pretrain4j.backend.AdamWStep;
import io.github.pretrain4j.backend.AttentionShape;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * The kernels of {@link io.github.pretrain4j.backend.ComputeDevice} on segments whose sizes were
 * checked.
 */
interface HostKernels extends AutoCloseable {
  String description();

  /** Bytes of memory held between kernels. */
  long scratchBytes();

  void fill(long count, MemorySegment y, float value);

  void add(long count, MemorySegment a, MemorySegment b, MemorySegment y);

  void scale(long count, MemorySegment y, float factor);

  void gemm(
      boolean transposeA,
      boolean transposeB,
      int m,
      int n,
      int k,
      MemorySegment a,
      int lda,
      MemorySegment b,
      int ldb,
      boolean accumulate,
      MemorySegment c,
      int ldc);

  void addBias(int rows, int width, MemorySegment bias, MemorySegment y);

  void addBiasBackward(int rows, int width, MemorySegment dy, MemorySegment dBias);

  void embedding(int rows, int width, MemorySegment tokens, MemorySegment weight, MemorySegment y);

  void embeddingBackward(
      int rows, int width, MemorySegment tokens, MemorySegment dy, MemorySegment dWeight);

  void rmsNorm(
      int rows,
      int width,
      MemorySegment x,
      MemorySegment weight,
      float epsilon,
      MemorySegment y,
      MemorySegment rstd);

  void rmsNormBackward(
      int rows,
      int width,
      MemorySegment dy,
      MemorySegment x,
      MemorySegment weight,
      MemorySegment rstd,
      boolean accumulate,
      MemorySegment dx,
      MemorySegment dWeight);

  void swiglu(int rows, int width, MemorySegment gateUp, MemorySegment y);

  void swigluBackward(
      int rows, int width, MemorySegment dy, MemorySegment gateUp, MemorySegment dGateUp);

  void rotary(
      AttentionShape shape,
      int rows,
      MemorySegment positions,
      MemorySegment cos,
      MemorySegment sin,
      boolean inverse,
      MemorySegment qkv);

  void attention(
      AttentionShape shape,
      MemorySegment qkv,
      KeyValues keyValues,
      MemorySegment y,
      @Nullable MemorySegment lse);

  void attentionBackward(
      AttentionShape shape,
      MemorySegment dy,
      MemorySegment qkv,
      MemorySegment y,
      MemorySegment lse,
      MemorySegment dQkv);

  void softmaxCrossEntropy(
      int rows,
      int columns,
      int vocabularySize,
      MemorySegment labels,
      MemorySegment weights,
      boolean gradient,
      MemorySegment logits,
      MemorySegment losses);

  double sumOfSquares(long count, MemorySegment x);

  void adamW(
      long count,
      AdamWStep step,
      MemorySegment gradient,
      MemorySegment value,
      MemorySegment expAvg,
      MemorySegment expAvgSq);

  @Override
  void close();
}
