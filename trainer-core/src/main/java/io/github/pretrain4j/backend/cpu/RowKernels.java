package io.github.pretrain4j.backend.cpu;

import io.github.pretrain4j.backend.AdamWStep;
import java.lang.foreign.MemorySegment;

/**
 * What one thread does with a block of rows, columns or elements. Offsets and ranges are in
 * elements, or in rows or columns where named so; {@code to} is exclusive. Stateless.
 */
interface RowKernels {
  String description();

  void fill(MemorySegment y, long from, long to, float value);

  void add(MemorySegment a, MemorySegment b, MemorySegment y, long from, long to);

  void scale(MemorySegment y, long from, long to, float factor);

  /** {@code y[yOffset + i] += alpha x[xOffset + i]}. */
  void addScaled(
      MemorySegment x, long xOffset, float alpha, MemorySegment y, long yOffset, int count);

  float dot(MemorySegment x, long xOffset, MemorySegment y, long yOffset, int count);

  /** Adds the sums of the columns of {@code x} into {@code sums}. */
  void addColumnSums(
      MemorySegment x, int rows, int width, int fromColumn, int toColumn, MemorySegment sums);

  void rmsNorm(
      MemorySegment x,
      MemorySegment weight,
      float epsilon,
      MemorySegment y,
      MemorySegment rstd,
      int fromRow,
      int toRow,
      int width);

  void rmsNormBackwardInput(
      MemorySegment dy,
      MemorySegment x,
      MemorySegment weight,
      MemorySegment rstd,
      boolean accumulate,
      MemorySegment dx,
      int fromRow,
      int toRow,
      int width);

  void rmsNormBackwardWeight(
      MemorySegment dy,
      MemorySegment x,
      MemorySegment rstd,
      int rows,
      int width,
      int fromColumn,
      int toColumn,
      MemorySegment dWeight);

  void swiglu(MemorySegment gateUp, MemorySegment y, int fromRow, int toRow, int width);

  void swigluBackward(
      MemorySegment dy,
      MemorySegment gateUp,
      MemorySegment dGateUp,
      int fromRow,
      int toRow,
      int width);

  /**
   * Turns one head of {@code 2 half} elements by the angles at {@code angleOffset}; {@code sign} -1
   * turns back.
   */
  void rotate(
      MemorySegment x,
      long xOffset,
      MemorySegment cos,
      MemorySegment sin,
      long angleOffset,
      int half,
      float sign);

  /**
   * Replaces scores by {@code softmax(scale * scores)} and returns the log of the sum of
   * exponentials.
   */
  float softmax(MemorySegment scores, long offset, int count, float scale);

  /** Replaces a row of scores by {@code exp(scale * score - lse)}. */
  void probabilities(MemorySegment scores, long offset, int count, float scale, float lse);

  /**
   * Replaces {@code dp} by {@code scale * p * (dp - delta)}: the gradient of the unscaled scores.
   */
  void softmaxBackward(
      MemorySegment p, MemorySegment dp, long offset, int count, float scale, float delta);

  /** One row of {@link HostKernels#softmaxCrossEntropy}; returns the loss. */
  float crossEntropy(
      MemorySegment logits,
      long offset,
      int columns,
      int vocabularySize,
      int label,
      float weight,
      boolean gradient);

  double sumOfSquares(MemorySegment x, long from, long to);

  void adamW(
      AdamWStep step,
      MemorySegment gradient,
      MemorySegment value,
      MemorySegment expAvg,
      MemorySegment expAvgSq,
      long from,
      long to);
}
