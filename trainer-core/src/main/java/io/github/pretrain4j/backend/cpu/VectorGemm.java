package io.github.pretrain4j.backend.cpu;

import static io.github.pretrain4j.backend.cpu.ScalarRows.get;
import static io.github.pretrain4j.backend.cpu.ScalarRows.set;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * Products in the Vector API, for where oneDNN does not load: panels of {@code op(a)} and {@code
 * op(b)} are copied to arrays and multiplied in tiles of {@value #TILE_ROWS} rows and two vectors
 * that stay in registers.
 */
final class VectorGemm implements TileGemm {
  private static final VectorSpecies<Float> FLOATS = FloatVector.SPECIES_PREFERRED;
  private static final int LANES = FLOATS.length();
  private static final int TILE_ROWS = 6;
  private static final int TILE_COLUMNS = 2 * LANES;

  /** Depth of a panel: a tile's two panels stay in the first-level cache. */
  private static final int DEPTH = 256;

  private final float[][] panelsOfB;
  private final float[][] panelOfA;
  private final float[][] tile;

  VectorGemm(int threads) {
    panelsOfB = new float[threads][0];
    panelOfA = new float[threads][TILE_ROWS * DEPTH];
    tile = new float[threads][TILE_ROWS * TILE_COLUMNS];
  }

  @Override
  public String description() {
    return "Vector API products";
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
    int columnTiles = Math.ceilDiv(n, TILE_COLUMNS);
    if (panelsOfB[participant].length < columnTiles * TILE_COLUMNS * DEPTH) {
      panelsOfB[participant] = new float[Math.multiplyExact(columnTiles * TILE_COLUMNS, DEPTH)];
    }
    float[] bPanels = panelsOfB[participant];
    float[] aPanel = panelOfA[participant];
    float[] out = tile[participant];
    for (int start = 0; start < k; start += DEPTH) {
      int depth = Math.min(DEPTH, k - start);
      boolean add = accumulate || start > 0;
      for (int t = 0; t < columnTiles; t++) {
        pack(
            b,
            bOffset,
            ldb,
            !transposeB,
            t * TILE_COLUMNS,
            n,
            start,
            depth,
            TILE_COLUMNS,
            bPanels,
            t * TILE_COLUMNS * DEPTH);
      }
      for (int row = 0; row < m; row += TILE_ROWS) {
        pack(a, aOffset, lda, transposeA, row, m, start, depth, TILE_ROWS, aPanel, 0);
        for (int t = 0; t < columnTiles; t++) {
          multiplyTile(aPanel, bPanels, t * TILE_COLUMNS * DEPTH, depth, out);
          int rows = Math.min(TILE_ROWS, m - row);
          int columns = Math.min(TILE_COLUMNS, n - t * TILE_COLUMNS);
          write(
              out,
              rows,
              columns,
              add,
              c,
              cOffset + (long) row * ldc + (long) t * TILE_COLUMNS,
              ldc);
        }
      }
    }
  }

  /**
   * Copies {@code width} rows (or columns) of a matrix from {@code first} to a panel [depth,
   * width], zeros beyond {@code limit}.
   *
   * @param depthIsRow whether the matrix's rows run along the depth
   */
  private static void pack(
      MemorySegment x,
      long offset,
      int stride,
      boolean depthIsRow,
      int first,
      int limit,
      int start,
      int depth,
      int width,
      float[] panel,
      int panelOffset) {
    for (int w = 0; w < width; w++) {
      int index = first + w;
      for (int p = 0; p < depth; p++) {
        float value = 0;
        if (index < limit) {
          long row = depthIsRow ? start + p : index;
          long column = depthIsRow ? index : start + p;
          value = get(x, offset + row * stride + column);
        }
        panel[panelOffset + p * width + w] = value;
      }
    }
  }

  private static void multiplyTile(float[] a, float[] b, int bOffset, int depth, float[] out) {
    FloatVector c00 = FloatVector.zero(FLOATS);
    FloatVector c01 = c00;
    FloatVector c10 = c00;
    FloatVector c11 = c00;
    FloatVector c20 = c00;
    FloatVector c21 = c00;
    FloatVector c30 = c00;
    FloatVector c31 = c00;
    FloatVector c40 = c00;
    FloatVector c41 = c00;
    FloatVector c50 = c00;
    FloatVector c51 = c00;
    for (int p = 0; p < depth; p++) {
      FloatVector b0 = FloatVector.fromArray(FLOATS, b, bOffset + p * TILE_COLUMNS);
      FloatVector b1 = FloatVector.fromArray(FLOATS, b, bOffset + p * TILE_COLUMNS + LANES);
      int row = p * TILE_ROWS;
      FloatVector a0 = FloatVector.broadcast(FLOATS, a[row]);
      c00 = a0.fma(b0, c00);
      c01 = a0.fma(b1, c01);
      FloatVector a1 = FloatVector.broadcast(FLOATS, a[row + 1]);
      c10 = a1.fma(b0, c10);
      c11 = a1.fma(b1, c11);
      FloatVector a2 = FloatVector.broadcast(FLOATS, a[row + 2]);
      c20 = a2.fma(b0, c20);
      c21 = a2.fma(b1, c21);
      FloatVector a3 = FloatVector.broadcast(FLOATS, a[row + 3]);
      c30 = a3.fma(b0, c30);
      c31 = a3.fma(b1, c31);
      FloatVector a4 = FloatVector.broadcast(FLOATS, a[row + 4]);
      c40 = a4.fma(b0, c40);
      c41 = a4.fma(b1, c41);
      FloatVector a5 = FloatVector.broadcast(FLOATS, a[row + 5]);
      c50 = a5.fma(b0, c50);
      c51 = a5.fma(b1, c51);
    }
    c00.intoArray(out, 0);
    c01.intoArray(out, LANES);
    c10.intoArray(out, TILE_COLUMNS);
    c11.intoArray(out, TILE_COLUMNS + LANES);
    c20.intoArray(out, 2 * TILE_COLUMNS);
    c21.intoArray(out, 2 * TILE_COLUMNS + LANES);
    c30.intoArray(out, 3 * TILE_COLUMNS);
    c31.intoArray(out, 3 * TILE_COLUMNS + LANES);
    c40.intoArray(out, 4 * TILE_COLUMNS);
    c41.intoArray(out, 4 * TILE_COLUMNS + LANES);
    c50.intoArray(out, 5 * TILE_COLUMNS);
    c51.intoArray(out, 5 * TILE_COLUMNS + LANES);
  }

  private static void write(
      float[] tile, int rows, int columns, boolean add, MemorySegment c, long offset, int ldc) {
    for (int i = 0; i < rows; i++) {
      for (int j = 0; j < columns; j++) {
        long index = offset + (long) i * ldc + j;
        float value = tile[i * TILE_COLUMNS + j];
        set(c, index, add ? get(c, index) + value : value);
      }
    }
  }

  @Override
  public void close() {
    // arrays only
  }
}
