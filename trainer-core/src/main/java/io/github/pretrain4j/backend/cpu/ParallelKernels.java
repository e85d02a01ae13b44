package io.github.pretrain4j.backend.cpu;

import io.github.pretrain4j.backend.AdamWStep;
import io.github.pretrain4j.backend.AttentionShape;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.jspecify.annotations.Nullable;

/**
 * Cuts kernels in blocks for a {@link WorkerPool}. The cut depends on sizes only; sums over several
 * blocks are combined in the order of the blocks.
 */
final class ParallelKernels implements HostKernels {
  /** Elements of a block of an elementwise kernel: 64 KiB of each operand. */
  private static final int BLOCK_ELEMENTS = 16_384;

  /** Columns of a block of a column sum. */
  private static final int BLOCK_COLUMNS = 64;

  /** A product with fewer multiplications than this is one block. */
  private static final long SMALL_GEMM = 1 << 18;

  private final RowKernels rows;
  private final TileGemm gemm;
  private final WorkerPool pool;
  private final TiledAttention attention;

  /** Takes over its parts and closes them. */
  ParallelKernels(RowKernels rows, TileGemm gemm, WorkerPool pool) {
    this.rows = rows;
    this.gemm = gemm;
    this.pool = pool;
    this.attention = new TiledAttention(rows, gemm, pool);
  }

  @Override
  public String description() {
    return gemm.description() + ", " + rows.description() + ", " + pool.threads() + " threads";
  }

  @Override
  public long scratchBytes() {
    return attention.scratchBytes();
  }

  /** A kernel over the elements or rows {@code from} to {@code to}. */
  @FunctionalInterface
  private interface Range {
    void run(long from, long to);
  }

  private void split(long count, long blockSize, Range body) {
    int blocks = Math.toIntExact(Math.ceilDiv(count, blockSize));
    pool.run(
        blocks,
        (participant, block) ->
            body.run(block * blockSize, Math.min(count, (block + 1) * blockSize)));
  }

  private void elements(long count, Range body) {
    split(count, BLOCK_ELEMENTS, body);
  }

  private void rows(int count, int width, Range body) {
    split(count, Math.max(1, BLOCK_ELEMENTS / width), body);
  }

  // ---- elementwise ----

  @Override
  public void fill(long count, MemorySegment y, float value) {
    elements(count, (from, to) -> rows.fill(y, from, to, value));
  }

  @Override
  public void add(long count, MemorySegment a, MemorySegment b, MemorySegment y) {
    elements(count, (from, to) -> rows.add(a, b, y, from, to));
  }

  @Override
  public void scale(long count, MemorySegment y, float factor) {
    elements(count, (from, to) -> rows.scale(y, from, to, factor));
  }

  // ---- linear ----

  /**
   * How far a dimension of that size is cut: at most 16 pieces, of at least 64 and a multiple of
   * 16.
   */
  private static int piece(int size) {
    return Math.max(64, Math.ceilDiv(Math.ceilDiv(size, 16), 16) * 16);
  }

  @Override
  public void gemm(
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
      int ldc) {
    gemm.trim();
    boolean small = (long) m * n * k < SMALL_GEMM;
    boolean cutRows = m >= n;
    int piece = small ? Math.max(m, n) : piece(Math.max(m, n));
    int size = cutRows ? m : n;
    pool.run(
        Math.ceilDiv(size, piece),
        (participant, block) -> {
          int from = block * piece;
          int count = Math.min(piece, size - from);
          long aOffset = cutRows ? (transposeA ? from : (long) from * lda) : 0;
          long bOffset = cutRows ? 0 : (transposeB ? (long) from * ldb : from);
          long cOffset = cutRows ? (long) from * ldc : from;
          gemm.multiply(
              participant,
              transposeA,
              transposeB,
              cutRows ? count : m,
              cutRows ? n : count,
              k,
              a,
              aOffset,
              lda,
              b,
              bOffset,
              ldb,
              accumulate,
              c,
              cOffset,
              ldc);
        });
  }

  @Override
  public void addBias(int rowCount, int width, MemorySegment bias, MemorySegment y) {
    rows(
        rowCount,
        width,
        (from, to) -> {
          for (long row = from; row < to; row++) {
            rows.addScaled(bias, 0, 1, y, row * width, width);
          }
        });
  }

  @Override
  public void addBiasBackward(int rowCount, int width, MemorySegment dy, MemorySegment dBias) {
    split(
        width,
        BLOCK_COLUMNS,
        (from, to) -> rows.addColumnSums(dy, rowCount, width, (int) from, (int) to, dBias));
  }

  @Override
  public void embedding(
      int rowCount, int width, MemorySegment tokens, MemorySegment weight, MemorySegment y) {
    long bytes = (long) width * Float.BYTES;
    rows(
        rowCount,
        width,
        (from, to) -> {
          for (long row = from; row < to; row++) {
            long token = tokens.getAtIndex(ValueLayout.JAVA_INT, row);
            MemorySegment.copy(weight, token * bytes, y, row * bytes, bytes);
          }
        });
  }

  @Override
  public void embeddingBackward(
      int rowCount, int width, MemorySegment tokens, MemorySegment dy, MemorySegment dWeight) {
    split(
        width,
        BLOCK_COLUMNS,
        (from, to) -> {
          for (long row = 0; row < rowCount; row++) {
            long token = tokens.getAtIndex(ValueLayout.JAVA_INT, row);
            rows.addScaled(
                dy, row * width + from, 1, dWeight, token * width + from, (int) (to - from));
          }
        });
  }

  // ---- normalisation, activation ----

  @Override
  public void rmsNorm(
      int rowCount,
      int width,
      MemorySegment x,
      MemorySegment weight,
      float epsilon,
      MemorySegment y,
      MemorySegment rstd) {
    rows(
        rowCount,
        width,
        (from, to) -> rows.rmsNorm(x, weight, epsilon, y, rstd, (int) from, (int) to, width));
  }

  @Override
  public void rmsNormBackward(
      int rowCount,
      int width,
      MemorySegment dy,
      MemorySegment x,
      MemorySegment weight,
      MemorySegment rstd,
      boolean accumulate,
      MemorySegment dx,
      MemorySegment dWeight) {
    split(
        width,
        BLOCK_COLUMNS,
        (from, to) ->
            rows.rmsNormBackwardWeight(
                dy, x, rstd, rowCount, width, (int) from, (int) to, dWeight));
    rows(
        rowCount,
        width,
        (from, to) ->
            rows.rmsNormBackwardInput(
                dy, x, weight, rstd, accumulate, dx, (int) from, (int) to, width));
  }

  @Override
  public void swiglu(int rowCount, int width, MemorySegment gateUp, MemorySegment y) {
    rows(rowCount, width, (from, to) -> rows.swiglu(gateUp, y, (int) from, (int) to, width));
  }

  @Override
  public void swigluBackward(
      int rowCount, int width, MemorySegment dy, MemorySegment gateUp, MemorySegment dGateUp) {
    rows(
        rowCount,
        width,
        (from, to) -> rows.swigluBackward(dy, gateUp, dGateUp, (int) from, (int) to, width));
  }

  // ---- attention ----

  @Override
  public void rotary(
      AttentionShape shape,
      int rowCount,
      MemorySegment positions,
      MemorySegment cos,
      MemorySegment sin,
      boolean inverse,
      MemorySegment qkv) {
    int half = shape.headWidth() / 2;
    int turned = shape.headsPerGroup() + 1; // the key head follows its query heads
    rows(
        rowCount,
        shape.fusedWidth(),
        (from, to) -> {
          for (long row = from; row < to; row++) {
            long angles = (long) positions.getAtIndex(ValueLayout.JAVA_INT, row) * half;
            for (long group = 0; group < shape.queryGroups(); group++) {
              long start = row * shape.fusedWidth() + group * (turned + 1) * shape.headWidth();
              for (int head = 0; head < turned; head++) {
                rows.rotate(
                    qkv,
                    start + (long) head * shape.headWidth(),
                    cos,
                    sin,
                    angles,
                    half,
                    inverse ? -1 : 1);
              }
            }
          }
        });
  }

  @Override
  public void attention(
      AttentionShape shape,
      MemorySegment qkv,
      KeyValues keyValues,
      MemorySegment y,
      @Nullable MemorySegment lse) {
    gemm.trim();
    attention.forward(shape, qkv, keyValues, y, lse);
  }

  @Override
  public void attentionBackward(
      AttentionShape shape,
      MemorySegment dy,
      MemorySegment qkv,
      MemorySegment y,
      MemorySegment lse,
      MemorySegment dQkv) {
    gemm.trim();
    attention.backward(shape, dy, qkv, y, lse, dQkv);
  }

  // ---- loss, optimizer ----

  @Override
  public void softmaxCrossEntropy(
      int rowCount,
      int columns,
      int vocabularySize,
      MemorySegment labels,
      MemorySegment weights,
      boolean gradient,
      MemorySegment logits,
      MemorySegment losses) {
    rows(
        rowCount,
        columns,
        (from, to) -> {
          for (long row = from; row < to; row++) {
            int label = labels.getAtIndex(ValueLayout.JAVA_INT, row);
            float weight = weights.getAtIndex(ValueLayout.JAVA_FLOAT, row);
            float loss =
                rows.crossEntropy(
                    logits, row * columns, columns, vocabularySize, label, weight, gradient);
            losses.setAtIndex(ValueLayout.JAVA_FLOAT, row, loss);
          }
        });
  }

  @Override
  public double sumOfSquares(long count, MemorySegment x) {
    double[] partial = new double[Math.toIntExact(Math.ceilDiv(count, (long) BLOCK_ELEMENTS))];
    elements(
        count,
        (from, to) -> partial[(int) (from / BLOCK_ELEMENTS)] = rows.sumOfSquares(x, from, to));
    double sum = 0;
    for (double part : partial) {
      sum += part;
    }
    return sum;
  }

  @Override
  public void adamW(
      long count,
      AdamWStep step,
      MemorySegment gradient,
      MemorySegment value,
      MemorySegment expAvg,
      MemorySegment expAvgSq) {
    elements(count, (from, to) -> rows.adamW(step, gradient, value, expAvg, expAvgSq, from, to));
  }

  @Override
  public void close() {
    pool.close();
    attention.close();
    gemm.close();
  }
}
