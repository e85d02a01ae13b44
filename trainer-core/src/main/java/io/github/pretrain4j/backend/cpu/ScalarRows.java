package io.github.pretrain4j.backend.cpu;

import io.github.pretrain4j.backend.AdamWStep;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Plain Java: what the formulas say, sums in double. The twin of {@code VectorRows}. */
final class ScalarRows implements RowKernels {
  static float get(MemorySegment x, long index) {
    return x.get(ValueLayout.JAVA_FLOAT, index << 2);
  }

  static void set(MemorySegment x, long index, float value) {
    x.set(ValueLayout.JAVA_FLOAT, index << 2, value);
  }

  @Override
  public String description() {
    return "plain Java";
  }

  @Override
  public void fill(MemorySegment y, long from, long to, float value) {
    for (long i = from; i < to; i++) {
      set(y, i, value);
    }
  }

  @Override
  public void add(MemorySegment a, MemorySegment b, MemorySegment y, long from, long to) {
    for (long i = from; i < to; i++) {
      set(y, i, get(a, i) + get(b, i));
    }
  }

  @Override
  public void scale(MemorySegment y, long from, long to, float factor) {
    for (long i = from; i < to; i++) {
      set(y, i, get(y, i) * factor);
    }
  }

  @Override
  public void addScaled(
      MemorySegment x, long xOffset, float alpha, MemorySegment y, long yOffset, int count) {
    for (int i = 0; i < count; i++) {
      set(y, yOffset + i, get(y, yOffset + i) + alpha * get(x, xOffset + i));
    }
  }

  @Override
  public float dot(MemorySegment x, long xOffset, MemorySegment y, long yOffset, int count) {
    double sum = 0;
    for (int i = 0; i < count; i++) {
      sum += (double) get(x, xOffset + i) * get(y, yOffset + i);
    }
    return (float) sum;
  }

  @Override
  public void addColumnSums(
      MemorySegment x, int rows, int width, int fromColumn, int toColumn, MemorySegment sums) {
    for (int column = fromColumn; column < toColumn; column++) {
      double sum = 0;
      for (long row = 0; row < rows; row++) {
        sum += get(x, row * width + column);
      }
      set(sums, column, (float) (get(sums, column) + sum));
    }
  }

  @Override
  public void rmsNorm(
      MemorySegment x,
      MemorySegment weight,
      float epsilon,
      MemorySegment y,
      MemorySegment rstd,
      int fromRow,
      int toRow,
      int width) {
    for (int row = fromRow; row < toRow; row++) {
      long start = (long) row * width;
      double sum = 0;
      for (int j = 0; j < width; j++) {
        double value = get(x, start + j);
        sum += value * value;
      }
      float r = (float) (1 / Math.sqrt(sum / width + epsilon));
      set(rstd, row, r);
      for (int j = 0; j < width; j++) {
        set(y, start + j, get(x, start + j) * r * get(weight, j));
      }
    }
  }

  @Override
  public void rmsNormBackwardInput(
      MemorySegment dy,
      MemorySegment x,
      MemorySegment weight,
      MemorySegment rstd,
      boolean accumulate,
      MemorySegment dx,
      int fromRow,
      int toRow,
      int width) {
    for (int row = fromRow; row < toRow; row++) {
      long start = (long) row * width;
      double r = get(rstd, row);
      double sum = 0;
      for (int j = 0; j < width; j++) {
        sum += (double) get(dy, start + j) * get(weight, j) * get(x, start + j) * r;
      }
      double mean = sum / width;
      for (int j = 0; j < width; j++) {
        double normalized = get(x, start + j) * r;
        double gradient = r * ((double) get(dy, start + j) * get(weight, j) - normalized * mean);
        set(dx, start + j, (float) (accumulate ? get(dx, start + j) + gradient : gradient));
      }
    }
  }

  @Override
  public void rmsNormBackwardWeight(
      MemorySegment dy,
      MemorySegment x,
      MemorySegment rstd,
      int rows,
      int width,
      int fromColumn,
      int toColumn,
      MemorySegment dWeight) {
    for (int column = fromColumn; column < toColumn; column++) {
      double sum = 0;
      for (int row = 0; row < rows; row++) {
        long i = (long) row * width + column;
        sum += (double) get(dy, i) * get(x, i) * get(rstd, row);
      }
      set(dWeight, column, (float) (get(dWeight, column) + sum));
    }
  }

  @Override
  public void swiglu(MemorySegment gateUp, MemorySegment y, int fromRow, int toRow, int width) {
    for (long row = fromRow; row < toRow; row++) {
      for (int j = 0; j < width; j++) {
        double gate = get(gateUp, 2 * row * width + j);
        double up = get(gateUp, (2 * row + 1) * width + j);
        set(y, row * width + j, (float) (gate * sigmoid(gate) * up));
      }
    }
  }

  @Override
  public void swigluBackward(
      MemorySegment dy,
      MemorySegment gateUp,
      MemorySegment dGateUp,
      int fromRow,
      int toRow,
      int width) {
    for (long row = fromRow; row < toRow; row++) {
      for (int j = 0; j < width; j++) {
        long gateIndex = 2 * row * width + j;
        long upIndex = gateIndex + width;
        double gate = get(gateUp, gateIndex);
        double up = get(gateUp, upIndex);
        double gradient = get(dy, row * width + j);
        double sigmoid = sigmoid(gate);
        set(dGateUp, gateIndex, (float) (gradient * up * sigmoid * (1 + gate * (1 - sigmoid))));
        set(dGateUp, upIndex, (float) (gradient * gate * sigmoid));
      }
    }
  }

  private static double sigmoid(double x) {
    return 1 / (1 + Math.exp(-x));
  }

  @Override
  public void rotate(
      MemorySegment x,
      long xOffset,
      MemorySegment cos,
      MemorySegment sin,
      long angleOffset,
      int half,
      float sign) {
    for (int i = 0; i < half; i++) {
      float c = get(cos, angleOffset + i);
      float s = sign * get(sin, angleOffset + i);
      float first = get(x, xOffset + i);
      float second = get(x, xOffset + half + i);
      set(x, xOffset + i, first * c - second * s);
      set(x, xOffset + half + i, second * c + first * s);
    }
  }

  @Override
  public float softmax(MemorySegment scores, long offset, int count, float scale) {
    double lse = logSumExp(scores, offset, count, scale);
    for (int i = 0; i < count; i++) {
      set(scores, offset + i, (float) Math.exp(scale * get(scores, offset + i) - lse));
    }
    return (float) lse;
  }

  private static double logSumExp(MemorySegment x, long offset, int count, float scale) {
    float max = Float.NEGATIVE_INFINITY;
    for (int i = 0; i < count; i++) {
      max = Math.max(max, scale * get(x, offset + i));
    }
    double sum = 0;
    for (int i = 0; i < count; i++) {
      sum += Math.exp(scale * get(x, offset + i) - max);
    }
    return max + Math.log(sum);
  }

  @Override
  public void probabilities(MemorySegment scores, long offset, int count, float scale, float lse) {
    for (int i = 0; i < count; i++) {
      set(scores, offset + i, (float) Math.exp(scale * get(scores, offset + i) - lse));
    }
  }

  @Override
  public void softmaxBackward(
      MemorySegment p, MemorySegment dp, long offset, int count, float scale, float delta) {
    for (int i = 0; i < count; i++) {
      set(dp, offset + i, scale * get(p, offset + i) * (get(dp, offset + i) - delta));
    }
  }

  @Override
  public float crossEntropy(
      MemorySegment logits,
      long offset,
      int columns,
      int vocabularySize,
      int label,
      float weight,
      boolean gradient) {
    if (weight == 0) {
      if (gradient) {
        fill(logits, offset, offset + columns, 0);
      }
      return 0;
    }
    double lse = logSumExp(logits, offset, vocabularySize, 1);
    float loss = (float) (lse - get(logits, offset + label));
    if (gradient) {
      for (int j = 0; j < vocabularySize; j++) {
        double probability = Math.exp(get(logits, offset + j) - lse);
        set(logits, offset + j, (float) (weight * (probability - (j == label ? 1 : 0))));
      }
      fill(logits, offset + vocabularySize, offset + columns, 0);
    }
    return loss;
  }

  @Override
  public double sumOfSquares(MemorySegment x, long from, long to) {
    double sum = 0;
    for (long i = from; i < to; i++) {
      double value = get(x, i);
      sum += value * value;
    }
    return sum;
  }

  @Override
  public void adamW(
      AdamWStep step,
      MemorySegment gradient,
      MemorySegment value,
      MemorySegment expAvg,
      MemorySegment expAvgSq,
      long from,
      long to) {
    float correction1 = step.biasCorrection1();
    float correction2 = step.biasCorrection2();
    for (long i = from; i < to; i++) {
      float g = get(gradient, i) * step.gradientScale();
      float m = step.beta1() * get(expAvg, i) + (1 - step.beta1()) * g;
      float v = step.beta2() * get(expAvgSq, i) + (1 - step.beta2()) * g * g;
      float theta = get(value, i);
      float update =
          m / correction1 / ((float) Math.sqrt(v / correction2) + step.epsilon())
              + step.weightDecay() * theta;
      set(expAvg, i, m);
      set(expAvgSq, i, v);
      set(value, i, theta - step.learningRate() * update);
    }
  }
}
