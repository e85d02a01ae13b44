package io.github.pretrain4j.backend.cpu;

import static io.github.pretrain4j.backend.cpu.ScalarRows.get;
import static io.github.pretrain4j.backend.cpu.ScalarRows.set;

import java.lang.foreign.MemorySegment;

/** Products in plain Java: rows of {@code op(b)} are added up over a row of {@code c} at a time. */
final class PlainGemm implements TileGemm {
  @Override
  public String description() {
    return "plain Java products";
  }

  @Override
  public void multiply(
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
      int ldc) {
    float[] packedB = new float[Math.multiplyExact(k, n)]; // [k, n]
    for (int p = 0; p < k; p++) {
      for (int j = 0; j < n; j++) {
        packedB[p * n + j] =
            get(b, bOffset + (transposeB ? (long) j * ldb + p : (long) p * ldb + j));
      }
    }
    float[] row = new float[n];
    for (int i = 0; i < m; i++) {
      for (int j = 0; j < n; j++) {
        row[j] = accumulate ? get(c, cOffset + (long) i * ldc + j) : 0;
      }
      for (int p = 0; p < k; p++) {
        float factor = get(a, aOffset + (transposeA ? (long) p * lda + i : (long) i * lda + p));
        int start = p * n;
        for (int j = 0; j < n; j++) {
          row[j] = Math.fma(factor, packedB[start + j], row[j]);
        }
      }
      for (int j = 0; j < n; j++) {
        set(c, cOffset + (long) i * ldc + j, row[j]);
      }
    }
  }

  @Override
  public void close() {
    // holds nothing
  }
}
