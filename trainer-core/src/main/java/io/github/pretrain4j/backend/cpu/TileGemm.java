package io.github.pretrain4j.backend.cpu;

import java.lang.foreign.MemorySegment;

/** A matrix product computed by one thread. Its bits depend on its sizes only. */
interface TileGemm extends AutoCloseable {
  String description();

  /**
   * {@code c = op(a) op(b)}, or adds it; offsets and strides in elements, as {@link
   * io.github.pretrain4j.backend.ComputeDevice#gemm} has them.
   *
   * @param participant index of the calling thread in the pool: selects its scratch memory
   */
  void multiply(
      int participant,
      boolean transposeA,
      boolean transposeB,
      int m,
      int n,
      int k,
      MemorySegment a,
      long aOffset,
      int lda,
      MemorySegment b,
      long bOffset,
      int ldb,
      boolean accumulate,
      MemorySegment c,
      long cOffset,
      int ldc);

  /** Called between kernels, when no thread multiplies: drops what is cached beyond a bound. */
  default void trim() {}

  @Override
  void close();
}
