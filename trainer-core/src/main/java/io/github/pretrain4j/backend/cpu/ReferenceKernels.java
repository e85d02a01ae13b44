package io.github.pretrain4j.backend.cpu;

import static io.github.pretrain4j.backend.cpu.ScalarRows.get;
import static io.github.pretrain4j.backend.cpu.ScalarRows.set;

import io.github.pretrain4j.backend.AdamWStep;
import io.github.pretrain4j.backend.AttentionShape;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.jspecify.annotations.Nullable;

/**
 * The formulas as they are written, in one thread and one order; sums in double. Slow, and what
 * every other kernel is tested against.
 */
final class ReferenceKernels implements HostKernels {
  private final ScalarRows rows = new ScalarRows();

  @Override
  public String description() {
    return "plain Java, one thread";
  }

  @Override
  public long scratchBytes() {
    return 0;
  }

  @Override
  public void fill(long count, MemorySegment y, float value) {
    rows.fill(y, 0, count, value);
  }

  @Override
  public void add(long count, MemorySegment a, MemorySegment b, MemorySegment y) {
    rows.add(a, b, y, 0, count);
  }

  @Override
  public void scale(long count, MemorySegment y, float factor) {
    rows.scale(y, 0, count, factor);
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
    float[][] columns = new float[n][k];
    for (int j = 0; j < n; j++) {
      for (int p = 0; p < k; p++) {
        columns[j][p] = get(b, transposeB ? (long) j * ldb + p : (long) p * ldb + j);
      }
    }
    float[] row = new float[k];
    for (int i = 0; i < m; i++) {
      for (int p = 0; p < k; p++) {
        row[p] = get(a, transposeA ? (long) p * lda + i : (long) i * lda + p);
      }
      for (int j = 0; j < n; j++) {
        double sum = accumulate ? get(c, (long) i * ldc + j) : 0;
        for (int p = 0; p < k; p++) {
          sum += (double) row[p] * columns[j][p];
        }
        set(c, (long) i * ldc + j, (float) sum);
      }
    }
  }

  @Override
  public void addBias(int rowCount, int width, MemorySegment bias, MemorySegment y) {
    for (int row = 0; row < rowCount; row++) {
      rows.addScaled(bias, 0, 1, y, (long) row * width, width);
    }
  }

  @Override
  public void addBiasBackward(int rowCount, int width, MemorySegment dy, MemorySegment dBias) {
    rows.addColumnSums(dy, rowCount, width, 0, width, dBias);
  }

  @Override
  public void embedding(
      int rowCount, int width, MemorySegment tokens, MemorySegment weight, MemorySegment y) {
    for (int row = 0; row < rowCount; row++) {
      long token = tokens.getAtIndex(ValueLayout.JAVA_INT, row);
      MemorySegment.copy(weight, token * width * 4, y, (long) row * width * 4, width * 4L);
    }
  }

  @Override
  public void embeddingBackward(
      int rowCount, int width, MemorySegment tokens, MemorySegment dy, MemorySegment dWeight) {
    for (int row = 0; row < rowCount; row++) {
      long token = tokens.getAtIndex(ValueLayout.JAVA_INT, row);
      rows.addScaled(dy, (long) row * width, 1, dWeight, token * width, width);
    }
  }

  @Override
  public void rmsNorm(
      int rowCount,
      int width,
      MemorySegment x,
      MemorySegment weight,
      float epsilon,
      MemorySegment y,
      MemorySegment rstd) {
    rows.rmsNorm(x, weight, epsilon, y, rstd, 0, rowCount, width);
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
    rows.rmsNormBackwardWeight(dy, x, rstd, rowCount, width, 0, width, dWeight);
    rows.rmsNormBackwardInput(dy, x, weight, rstd, accumulate, dx, 0, rowCount, width);
  }

  @Override
  public void swiglu(int rowCount, int width, MemorySegment gateUp, MemorySegment y) {
    rows.swiglu(gateUp, y, 0, rowCount, width);
  }

  @Override
  public void swigluBackward(
      int rowCount, int width, MemorySegment dy, MemorySegment gateUp, MemorySegment dGateUp) {
    rows.swigluBackward(dy, gateUp, dGateUp, 0, rowCount, width);
  }

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
    for (int row = 0; row < rowCount; row++) {
      long angles = (long) positions.getAtIndex(ValueLayout.JAVA_INT, row) * half;
      for (int group = 0; group < shape.queryGroups(); group++) {
        for (int head = 0; head <= shape.headsPerGroup(); head++) { // the last one is the key
          long headIndex = (long) group * (shape.headsPerGroup() + 2) + head;
          long start = (long) row * shape.fusedWidth() + headIndex * shape.headWidth();
          rows.rotate(qkv, start, cos, sin, angles, half, inverse ? -1 : 1);
        }
      }
    }
  }

  @Override
  public void attention(
      AttentionShape shape,
      MemorySegment qkv,
      KeyValues keyValues,
      MemorySegment y,
      @Nullable MemorySegment lse) {
    int width = shape.headWidth();
    double scale = 1 / Math.sqrt(width);
    for (int sequence = 0; sequence < shape.batch(); sequence++) {
      for (int head = 0; head < shape.heads(); head++) {
        int group = head / shape.headsPerGroup();
        for (int t = 0; t < shape.queryLength(); t++) {
          int position = shape.queryOffset() + t;
          int first = shape.firstKey(position);
          long query = KeyValues.query(shape, sequence, t, head);
          double[] p = new double[position + 1];
          double max = Double.NEGATIVE_INFINITY;
          for (int j = first; j <= position; j++) {
            p[j] =
                scale
                    * dot(
                        qkv, query, keyValues.segment(), keyValues.key(sequence, j, group), width);
            max = Math.max(max, p[j]);
          }
          double sum = 0;
          for (int j = first; j <= position; j++) {
            sum += Math.exp(p[j] - max);
          }
          double logSumExp = max + Math.log(sum);
          double[] out = new double[width];
          for (int j = first; j <= position; j++) {
            double probability = Math.exp(p[j] - logSumExp);
            for (int d = 0; d < width; d++) {
              out[d] +=
                  probability * get(keyValues.segment(), keyValues.value(sequence, j, group) + d);
            }
          }
          long target = KeyValues.output(shape, sequence, t, head);
          for (int d = 0; d < width; d++) {
            set(y, target + d, (float) out[d]);
          }
          if (lse != null) {
            set(lse, KeyValues.logSumExp(shape, sequence, t, head), (float) logSumExp);
          }
        }
      }
    }
  }

  @Override
  public void attentionBackward(
      AttentionShape shape,
      MemorySegment dy,
      MemorySegment qkv,
      MemorySegment y,
      MemorySegment lse,
      MemorySegment dQkv) {
    int width = shape.headWidth();
    float scale = (float) (1 / Math.sqrt(width));
    KeyValues from = KeyValues.inFused(shape, qkv);
    KeyValues to = KeyValues.inFused(shape, dQkv);
    fill((long) shape.batch() * shape.queryLength() * shape.fusedWidth(), dQkv, 0);
    for (int sequence = 0; sequence < shape.batch(); sequence++) {
      for (int head = 0; head < shape.heads(); head++) {
        int group = head / shape.headsPerGroup();
        for (int i = 0; i < shape.queryLength(); i++) {
          long query = KeyValues.query(shape, sequence, i, head);
          long output = KeyValues.output(shape, sequence, i, head);
          double delta = dot(dy, output, y, output, width);
          float logSumExp = get(lse, KeyValues.logSumExp(shape, sequence, i, head));
          for (int j = shape.firstKey(i); j <= i; j++) {
            long key = from.key(sequence, j, group);
            long value = from.value(sequence, j, group);
            double p = Math.exp(scale * dot(qkv, query, qkv, key, width) - logSumExp);
            double dp = dot(dy, output, qkv, value, width);
            float ds = (float) (scale * p * (dp - delta));
            rows.addScaled(dy, output, (float) p, dQkv, to.value(sequence, j, group), width);
            rows.addScaled(qkv, key, ds, dQkv, query, width);
            rows.addScaled(qkv, query, ds, dQkv, to.key(sequence, j, group), width);
          }
        }
      }
    }
  }

  private static double dot(
      MemorySegment x, long xOffset, MemorySegment y, long yOffset, int count) {
    double sum = 0;
    for (int i = 0; i < count; i++) {
      sum += (double) get(x, xOffset + i) * get(y, yOffset + i);
    }
    return sum;
  }

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
    for (int row = 0; row < rowCount; row++) {
      int label = labels.getAtIndex(ValueLayout.JAVA_INT, row);
      float loss =
          rows.crossEntropy(
              logits,
              (long) row * columns,
              columns,
              vocabularySize,
              label,
              get(weights, row),
              gradient);
      set(losses, row, loss);
    }
  }

  @Override
  public double sumOfSquares(long count, MemorySegment x) {
    return rows.sumOfSquares(x, 0, count);
  }

  @Override
  public void adamW(
      long count,
      AdamWStep step,
      MemorySegment gradient,
      MemorySegment value,
      MemorySegment expAvg,
      MemorySegment expAvgSq) {
    rows.adamW(step, gradient, value, expAvg, expAvgSq, 0, count);
  }

  @Override
  public void close() {
    // holds nothing
  }
}
