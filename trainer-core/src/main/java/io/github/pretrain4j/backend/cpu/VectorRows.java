package io.github.pretrain4j.backend.cpu;

import static io.github.pretrain4j.backend.cpu.ScalarRows.get;
import static io.github.pretrain4j.backend.cpu.ScalarRows.set;

import io.github.pretrain4j.backend.AdamWStep;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * The row kernels in the Vector API, at the widest shape the machine has. The twin of {@link
 * ScalarRows}, in fp32.
 *
 * <p>Reached only if the incubating module is there.
 */
final class VectorRows implements RowKernels {
  /* Rules these loops keep, found by measuring.
   *
   * - Methods are small, with few segment accesses each: large ones sometimes are never compiled well.
   * - No unrolling by hand beyond several accumulators of a sum.
   * - reduceLanes(ADD) is not used: its order is not specified, and compiled and interpreted code may differ. Lanes are
   *   added in order instead.
   * - The last elements that fill no vector are done one by one.
   */
  private static final VectorSpecies<Float> FLOATS = FloatVector.SPECIES_PREFERRED;
  private static final int LANES = FLOATS.length();
  private static final ByteOrder ORDER = ByteOrder.nativeOrder();

  /** Below it exp is not a normal fp32 number; results are held at exp of this. */
  private static final float EXP_MIN = -87.3f;

  private static final float EXP_MAX = 88.3f;
  private static final float LOG2_E = (float) (1 / Math.log(2));

  /** log(2) in two parts, the first 355 / 512: its products with n are exact. */
  private static final float LN2_HIGH = 355 / 512f;

  private static final float LN2_LOW = (float) (Math.log(2) - 355 / 512.0);

  /** 1.5 * 2^23: adding it rounds to an integer, which is then in the low bits. */
  private static final float ROUNDER = 12_582_912f;

  @Override
  public String description() {
    return "Vector API of " + FLOATS.vectorBitSize() + " bits";
  }

  private static FloatVector load(MemorySegment x, long index) {
    return FloatVector.fromMemorySegment(FLOATS, x, index << 2, ORDER);
  }

  private static void store(FloatVector v, MemorySegment y, long index) {
    v.intoMemorySegment(y, index << 2, ORDER);
  }

  private static FloatVector all(float value) {
    return FloatVector.broadcast(FLOATS, value);
  }

  /** The end of the last whole vector. */
  private static long bound(long from, long to) {
    return to - (to - from) % LANES;
  }

  private static float sumInOrder(FloatVector v) {
    float[] lanes = v.toArray();
    float sum = 0;
    for (float lane : lanes) {
      sum += lane;
    }
    return sum;
  }

  /**
   * exp: x = n log(2) + r, a polynomial in r, then n added to the exponent. Relative error about
   * 2e-7.
   */
  private static FloatVector exp(FloatVector x) {
    FloatVector clamped = x.max(EXP_MIN).min(EXP_MAX);
    FloatVector shifted = clamped.fma(all(LOG2_E), all(ROUNDER));
    FloatVector n = shifted.sub(ROUNDER);
    FloatVector r = n.fma(all(-LN2_HIGH), clamped);
    r = n.fma(all(-LN2_LOW), r);
    FloatVector p = r.fma(all(0.0013933644f), all(0.008363175f));
    p = p.fma(r, all(0.041666467f));
    p = p.fma(r, all(0.16666576f));
    p = p.fma(r, all(0.5f));
    p = p.fma(r.mul(r), r).add(1f);
    IntVector exponent = shifted.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23);
    return p.reinterpretAsInts().add(exponent).reinterpretAsFloats();
  }

  private static float exp(float x) {
    return (float) Math.exp(Math.clamp(x, EXP_MIN, EXP_MAX));
  }

  // ---- elementwise ----

  @Override
  public void fill(MemorySegment y, long from, long to, float value) {
    if (value == 0) {
      y.asSlice(from << 2, (to - from) << 2).fill((byte) 0);
      return;
    }
    FloatVector v = all(value);
    long end = bound(from, to);
    for (long i = from; i < end; i += LANES) {
      store(v, y, i);
    }
    for (long i = end; i < to; i++) {
      set(y, i, value);
    }
  }

  @Override
  public void add(MemorySegment a, MemorySegment b, MemorySegment y, long from, long to) {
    long end = bound(from, to);
    for (long i = from; i < end; i += LANES) {
      store(load(a, i).add(load(b, i)), y, i);
    }
    for (long i = end; i < to; i++) {
      set(y, i, get(a, i) + get(b, i));
    }
  }

  @Override
  public void scale(MemorySegment y, long from, long to, float factor) {
    long end = bound(from, to);
    for (long i = from; i < end; i += LANES) {
      store(load(y, i).mul(factor), y, i);
    }
    for (long i = end; i < to; i++) {
      set(y, i, get(y, i) * factor);
    }
  }

  @Override
  public void addScaled(
      MemorySegment x, long xOffset, float alpha, MemorySegment y, long yOffset, int count) {
    long end = bound(0, count);
    FloatVector factor = all(alpha);
    for (long i = 0; i < end; i += LANES) {
      store(load(x, xOffset + i).fma(factor, load(y, yOffset + i)), y, yOffset + i);
    }
    for (long i = end; i < count; i++) {
      set(y, yOffset + i, Math.fma(get(x, xOffset + i), alpha, get(y, yOffset + i)));
    }
  }

  @Override
  public float dot(MemorySegment x, long xOffset, MemorySegment y, long yOffset, int count) {
    long end = bound(0, count);
    FloatVector sums = all(0);
    for (long i = 0; i < end; i += LANES) {
      sums = load(x, xOffset + i).fma(load(y, yOffset + i), sums);
    }
    float sum = sumInOrder(sums);
    for (long i = end; i < count; i++) {
      sum = Math.fma(get(x, xOffset + i), get(y, yOffset + i), sum);
    }
    return sum;
  }

  // ---- column sums ----

  @Override
  public void addColumnSums(
      MemorySegment x, int rows, int width, int fromColumn, int toColumn, MemorySegment sums) {
    long end = bound(fromColumn, toColumn);
    for (long column = fromColumn; column < end; column += LANES) {
      FloatVector sum = all(0);
      for (long row = 0; row < rows; row++) {
        sum = sum.add(load(x, row * width + column));
      }
      store(load(sums, column).add(sum), sums, column);
    }
    for (long column = end; column < toColumn; column++) {
      float sum = 0;
      for (long row = 0; row < rows; row++) {
        sum += get(x, row * width + column);
      }
      set(sums, column, get(sums, column) + sum);
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
    long end = bound(fromColumn, toColumn);
    for (long column = fromColumn; column < end; column += LANES) {
      FloatVector sum = all(0);
      for (long row = 0; row < rows; row++) {
        long i = row * width + column;
        sum = load(dy, i).mul(get(rstd, row)).fma(load(x, i), sum);
      }
      store(load(dWeight, column).add(sum), dWeight, column);
    }
    for (long column = end; column < toColumn; column++) {
      float sum = 0;
      for (long row = 0; row < rows; row++) {
        long i = row * width + column;
        sum = Math.fma(get(dy, i) * get(rstd, row), get(x, i), sum);
      }
      set(dWeight, column, get(dWeight, column) + sum);
    }
  }

  // ---- normalisation ----

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
      float r = (float) (1 / Math.sqrt(dot(x, start, x, start, width) / (double) width + epsilon));
      set(rstd, row, r);
      normalize(x, weight, r, y, start, width);
    }
  }

  private static void normalize(
      MemorySegment x, MemorySegment weight, float r, MemorySegment y, long start, int width) {
    long end = bound(0, width);
    for (long j = 0; j < end; j += LANES) {
      store(load(x, start + j).mul(r).mul(load(weight, j)), y, start + j);
    }
    for (long j = end; j < width; j++) {
      set(y, start + j, get(x, start + j) * r * get(weight, j));
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
      float r = get(rstd, row);
      float mean = r * weightedDot(dy, weight, x, start, width) / width;
      normalizeBackward(dy, weight, x, r, r * r * mean, accumulate, dx, start, width);
    }
  }

  private static float weightedDot(
      MemorySegment dy, MemorySegment weight, MemorySegment x, long start, int width) {
    long end = bound(0, width);
    FloatVector sums = all(0);
    for (long j = 0; j < end; j += LANES) {
      sums = load(dy, start + j).mul(load(weight, j)).fma(load(x, start + j), sums);
    }
    float sum = sumInOrder(sums);
    for (long j = end; j < width; j++) {
      sum = Math.fma(get(dy, start + j) * get(weight, j), get(x, start + j), sum);
    }
    return sum;
  }

  /** {@code dx (+)= r dy weight - c x}. */
  private static void normalizeBackward(
      MemorySegment dy,
      MemorySegment weight,
      MemorySegment x,
      float r,
      float c,
      boolean accumulate,
      MemorySegment dx,
      long start,
      int width) {
    long end = bound(0, width);
    FloatVector minusC = all(-c);
    for (long j = 0; j < end; j += LANES) {
      FloatVector gradient =
          load(x, start + j).fma(minusC, load(dy, start + j).mul(load(weight, j)).mul(r));
      store(accumulate ? gradient.add(load(dx, start + j)) : gradient, dx, start + j);
    }
    for (long j = end; j < width; j++) {
      float gradient = Math.fma(get(x, start + j), -c, get(dy, start + j) * get(weight, j) * r);
      set(dx, start + j, accumulate ? gradient + get(dx, start + j) : gradient);
    }
  }

  // ---- activation ----

  private static FloatVector sigmoid(FloatVector x) {
    return all(1).div(exp(x.neg()).add(1));
  }

  private static float sigmoid(float x) {
    return 1 / (1 + exp(-x));
  }

  @Override
  public void swiglu(MemorySegment gateUp, MemorySegment y, int fromRow, int toRow, int width) {
    for (long row = fromRow; row < toRow; row++) {
      swigluRow(gateUp, 2 * row * width, y, row * width, width);
    }
  }

  private static void swigluRow(
      MemorySegment gateUp, long gates, MemorySegment y, long start, int width) {
    long end = bound(0, width);
    for (long j = 0; j < end; j += LANES) {
      FloatVector gate = load(gateUp, gates + j);
      store(gate.mul(sigmoid(gate)).mul(load(gateUp, gates + width + j)), y, start + j);
    }
    for (long j = end; j < width; j++) {
      float gate = get(gateUp, gates + j);
      set(y, start + j, gate * sigmoid(gate) * get(gateUp, gates + width + j));
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
      swigluBackwardRow(dy, row * width, gateUp, dGateUp, 2 * row * width, width);
    }
  }

  private static void swigluBackwardRow(
      MemorySegment dy,
      long start,
      MemorySegment gateUp,
      MemorySegment dGateUp,
      long gates,
      int width) {
    long ups = gates + width;
    long end = bound(0, width);
    for (long j = 0; j < end; j += LANES) {
      FloatVector gate = load(gateUp, gates + j);
      FloatVector sigmoid = sigmoid(gate);
      FloatVector scaled = load(dy, start + j).mul(sigmoid);
      FloatVector slope = gate.fma(all(1).sub(sigmoid), all(1));
      store(scaled.mul(load(gateUp, ups + j)).mul(slope), dGateUp, gates + j);
      store(scaled.mul(gate), dGateUp, ups + j);
    }
    for (long j = end; j < width; j++) {
      float gate = get(gateUp, gates + j);
      float sigmoid = sigmoid(gate);
      float scaled = get(dy, start + j) * sigmoid;
      set(dGateUp, gates + j, scaled * get(gateUp, ups + j) * (1 + gate * (1 - sigmoid)));
      set(dGateUp, ups + j, scaled * gate);
    }
  }

  // ---- attention ----

  @Override
  public void rotate(
      MemorySegment x,
      long xOffset,
      MemorySegment cos,
      MemorySegment sin,
      long angleOffset,
      int half,
      float sign) {
    long end = bound(0, half);
    for (long i = 0; i < end; i += LANES) {
      FloatVector c = load(cos, angleOffset + i);
      FloatVector s = load(sin, angleOffset + i).mul(sign);
      FloatVector first = load(x, xOffset + i);
      FloatVector second = load(x, xOffset + half + i);
      store(first.mul(c).sub(second.mul(s)), x, xOffset + i);
      store(second.mul(c).add(first.mul(s)), x, xOffset + half + i);
    }
    for (long i = end; i < half; i++) {
      float c = get(cos, angleOffset + i);
      float s = get(sin, angleOffset + i) * sign;
      float first = get(x, xOffset + i);
      float second = get(x, xOffset + half + i);
      set(x, xOffset + i, first * c - second * s);
      set(x, xOffset + half + i, second * c + first * s);
    }
  }

  @Override
  public float softmax(MemorySegment scores, long offset, int count, float scale) {
    float max = max(scores, offset, count) * scale; // scale is positive
    float sum = exponentials(scores, offset, count, scale, max);
    scale(scores, offset, offset + count, 1 / sum);
    return max + (float) Math.log(sum);
  }

  @Override
  public void probabilities(MemorySegment scores, long offset, int count, float scale, float lse) {
    FloatVector factor = all(scale);
    FloatVector shift = all(-lse);
    long end = bound(0, count);
    for (long i = 0; i < end; i += LANES) {
      store(exp(load(scores, offset + i).fma(factor, shift)), scores, offset + i);
    }
    for (long i = end; i < count; i++) {
      set(scores, offset + i, exp(Math.fma(get(scores, offset + i), scale, -lse)));
    }
  }

  private static float max(MemorySegment x, long offset, int count) {
    long end = bound(0, count);
    FloatVector maxima = all(Float.NEGATIVE_INFINITY);
    for (long i = 0; i < end; i += LANES) {
      maxima = maxima.max(load(x, offset + i));
    }
    float max = maxima.reduceLanes(VectorOperators.MAX);
    for (long i = end; i < count; i++) {
      max = Math.max(max, get(x, offset + i));
    }
    return max;
  }

  /** Replaces {@code x} by {@code exp(scale x - max)} and returns their sum. */
  private static float exponentials(
      MemorySegment x, long offset, int count, float scale, float max) {
    FloatVector factor = all(scale);
    FloatVector shift = all(-max);
    FloatVector sums = all(0);
    long end = bound(0, count);
    for (long i = 0; i < end; i += LANES) {
      FloatVector e = exp(load(x, offset + i).fma(factor, shift));
      store(e, x, offset + i);
      sums = sums.add(e);
    }
    float sum = sumInOrder(sums);
    for (long i = end; i < count; i++) {
      float e = exp(Math.fma(get(x, offset + i), scale, -max));
      set(x, offset + i, e);
      sum += e;
    }
    return sum;
  }

  @Override
  public void softmaxBackward(
      MemorySegment p, MemorySegment dp, long offset, int count, float scale, float delta) {
    long end = bound(0, count);
    for (long i = 0; i < end; i += LANES) {
      FloatVector difference = load(dp, offset + i).sub(delta);
      store(load(p, offset + i).mul(scale).mul(difference), dp, offset + i);
    }
    for (long i = end; i < count; i++) {
      set(dp, offset + i, get(p, offset + i) * scale * (get(dp, offset + i) - delta));
    }
  }

  // ---- loss, optimizer ----

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
    float target = get(logits, offset + label);
    float max = max(logits, offset, vocabularySize);
    float sum = exponentials(logits, offset, vocabularySize, 1, max);
    if (gradient) {
      scale(logits, offset, offset + vocabularySize, weight / sum);
      set(logits, offset + label, get(logits, offset + label) - weight);
      fill(logits, offset + vocabularySize, offset + columns, 0);
    }
    return max + (float) Math.log(sum) - target;
  }

  @Override
  public double sumOfSquares(MemorySegment x, long from, long to) {
    return dot(x, from, x, from, Math.toIntExact(to - from));
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
    long end = bound(from, to);
    updateMean(gradient, step.gradientScale(), step.beta1(), expAvg, from, end);
    updateVariance(gradient, step.gradientScale(), step.beta2(), expAvgSq, from, end);
    updateValue(step, expAvg, expAvgSq, value, from, end);
    if (end < to) {
      new ScalarRows().adamW(step, gradient, value, expAvg, expAvgSq, end, to);
    }
  }

  private static void updateMean(
      MemorySegment gradient, float scale, float beta, MemorySegment mean, long from, long end) {
    for (long i = from; i < end; i += LANES) {
      FloatVector g = load(gradient, i).mul(scale);
      store(load(mean, i).mul(beta).add(g.mul(1 - beta)), mean, i);
    }
  }

  private static void updateVariance(
      MemorySegment gradient,
      float scale,
      float beta,
      MemorySegment variance,
      long from,
      long end) {
    for (long i = from; i < end; i += LANES) {
      FloatVector g = load(gradient, i).mul(scale);
      store(load(variance, i).mul(beta).add(g.mul(1 - beta).mul(g)), variance, i);
    }
  }

  private static void updateValue(
      AdamWStep step,
      MemorySegment mean,
      MemorySegment variance,
      MemorySegment value,
      long from,
      long end) {
    float correction1 = step.biasCorrection1();
    float correction2 = step.biasCorrection2();
    float epsilon = step.epsilon();
    float decay = step.weightDecay();
    float learningRate = step.learningRate();
    for (long i = from; i < end; i += LANES) {
      FloatVector root = load(variance, i).div(correction2).sqrt().add(epsilon);
      FloatVector theta = load(value, i);
      FloatVector update = load(mean, i).div(correction1).div(root).add(theta.mul(decay));
      store(theta.sub(update.mul(learningRate)), value, i);
    }
  }
}
