package io.github.pretrain4j.backend;

import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * One place that computes: memory, and kernels executed in the order they are called.
 *
 * <p>Shape letters are those of the package's legend. Buffers hold exactly the shape their name
 * ends in (cut with {@link #slice}); a mismatch is an {@link IllegalArgumentException}. Unless a
 * method says so, outputs do not overlap inputs. "Adds into" accumulates, everything else
 * overwrites. Every sum has one order: results depend neither on the number of threads nor on
 * timing. A device is used by one thread at a time.
 */
public interface ComputeDevice extends AutoCloseable {

  /** What this is, one line for logs. */
  String description();

  // ---- memory ----

  /** New zeroed memory; the caller frees it. */
  DeviceBuffer allocate(ElementType type, long elementCount);

  /** A view of {@code elementCount} elements from {@code offset}; freed with its origin. */
  DeviceBuffer slice(DeviceBuffer buffer, long offset, long elementCount);

  /** Frees what {@link #allocate} returned, not a slice. */
  void free(DeviceBuffer buffer);

  /** Copies host memory (native byte order, as many bytes as the buffer has) to the device. */
  void upload(MemorySegment source, DeviceBuffer target);

  /** Copies a buffer to host memory, waiting for all kernels before it. */
  void download(DeviceBuffer source, MemorySegment target);

  /** Bytes now, peak bytes, allocations now and allocations ever made. */
  MemoryUse memoryUse();

  /**
   * Memory of a device.
   *
   * @param allocations live ones; zero after everybody closed what they opened
   * @param allocationsMade all since the device was opened
   */
  record MemoryUse(long bytes, long peakBytes, long allocations, long allocationsMade) {}

  // ---- elementwise ----

  /** {@code y = value}. */
  void fill(DeviceBuffer y, float value);

  /** {@code y = x}, of either type. */
  void copy(DeviceBuffer x, DeviceBuffer y);

  /** {@code y = a + b}; {@code y} may be either of them. */
  void add(DeviceBuffer a, DeviceBuffer b, DeviceBuffer y);

  /** {@code y = y * factor}. */
  void scale(DeviceBuffer y, float factor);

  // ---- linear ----

  /**
   * {@code c = op(a) op(b) + beta c}, {@code op(a)} [m, k], {@code op(b)} [k, n], {@code c} [m, n].
   *
   * <p>{@code lda}, {@code ldb}, {@code ldc} are elements from one row to the next as stored:
   * {@code a} is stored [m, k], or [k, m] if transposed. Buffers may be longer than needed.
   *
   * @param beta 0 or 1; with 0, {@code c} is not read
   */
  void gemm(
      boolean transposeA,
      boolean transposeB,
      int m,
      int n,
      int k,
      DeviceBuffer a,
      int lda,
      DeviceBuffer b,
      int ldb,
      float beta,
      DeviceBuffer c,
      int ldc);

  /** Adds {@code biasO} to every row of {@code yNO}. */
  void addBias(DeviceBuffer biasO, DeviceBuffer yNO);

  /** Adds the column sums of {@code dyNO} into {@code dBiasO}. */
  void addBiasBackward(DeviceBuffer dyNO, DeviceBuffer dBiasO);

  /** {@code yND[i] = weightVD[tokensN[i]]}. */
  void embedding(DeviceBuffer tokensN, DeviceBuffer weightVD, DeviceBuffer yND);

  /**
   * Adds row {@code i} of {@code dyND} into row {@code tokensN[i]} of {@code dWeightVD}, in order
   * of i.
   */
  void embeddingBackward(DeviceBuffer tokensN, DeviceBuffer dyND, DeviceBuffer dWeightVD);

  // ---- normalisation, activation ----

  /**
   * {@code y = x * rstd * weight}, {@code rstd = 1 / sqrt(mean(x^2) + epsilon)}; keeps {@code
   * rstdN}.
   */
  void rmsNorm(
      DeviceBuffer xND, DeviceBuffer weightD, float epsilon, DeviceBuffer yND, DeviceBuffer rstdN);

  /**
   * Backward of {@link #rmsNorm}; adds into {@code dWeightD}.
   *
   * @param accumulate whether to add into {@code dxND} rather than overwrite it
   */
  void rmsNormBackward(
      DeviceBuffer dyND,
      DeviceBuffer xND,
      DeviceBuffer weightD,
      DeviceBuffer rstdN,
      boolean accumulate,
      DeviceBuffer dxND,
      DeviceBuffer dWeightD);

  /** {@code y = silu(gate) * up}; a row of {@code gateUpN2F} is F gates, then F ups. */
  void swiglu(int width, DeviceBuffer gateUpN2F, DeviceBuffer yNF);

  /** Backward of {@link #swiglu}. */
  void swigluBackward(
      int width, DeviceBuffer dyNF, DeviceBuffer gateUpN2F, DeviceBuffer dGateUpN2F);

  // ---- attention ----

  /**
   * Turns the query and key heads of the fused QKV in place, half-split: the pair {@code (x[i], x[i
   * + K/2])} of a head by the angle whose cosine and sine are at {@code [position, i]} of the
   * tables.
   *
   * @param shape gives G, R, K; rows are those of {@code positionsN}
   * @param inverse turns back: the backward pass
   */
  void rotary(
      AttentionShape shape,
      DeviceBuffer positionsN,
      DeviceBuffer cosPK2,
      DeviceBuffer sinPK2,
      boolean inverse,
      DeviceBuffer qkvNW);

  /**
   * Causal attention of a fused QKV over itself ({@code keyLength == queryLength}).
   *
   * @param lseBHT log of the sum of exponentials of each row of scaled scores, for the backward
   *     pass
   */
  void attention(AttentionShape shape, DeviceBuffer qkvNW, DeviceBuffer yNHK, DeviceBuffer lseBHT);

  /** Backward of {@link #attention}; overwrites all of {@code dQkvNW}. */
  void attentionBackward(
      AttentionShape shape,
      DeviceBuffer dyNHK,
      DeviceBuffer qkvNW,
      DeviceBuffer yNHK,
      DeviceBuffer lseBHT,
      DeviceBuffer dQkvNW);

  /**
   * Writes the keys and values of the fused QKV's {@code queryLength} rows into the cache, at
   * positions {@link AttentionShape#queryOffset} and on.
   *
   * @param cacheBCG2K per sequence, position and group: the key head, then the value head
   */
  void appendKeyValues(AttentionShape shape, DeviceBuffer qkvNW, DeviceBuffer cacheBCG2K);

  /**
   * Attention of the fused QKV's queries over the first {@code keyLength} positions of the cache;
   * no backward.
   */
  void attentionOverCache(
      AttentionShape shape, DeviceBuffer qkvNW, DeviceBuffer cacheBCG2K, DeviceBuffer yNHK);

  // ---- loss ----

  /**
   * Softmax cross-entropy of rows of logits: {@code loss = lse(logits[:vocabularySize]) -
   * logits[label]}.
   *
   * <p>Where the weight is 0 the loss is 0 and the label is not looked at. With {@code gradient},
   * the logits are overwritten by {@code weight * (softmax - oneHot(label))}, 0 in the columns from
   * {@code vocabularySize} on; otherwise they are left undefined.
   */
  void softmaxCrossEntropy(
      int vocabularySize,
      DeviceBuffer labelsN,
      DeviceBuffer weightsN,
      boolean gradient,
      DeviceBuffer logitsNV,
      DeviceBuffer lossesN);

  // ---- optimizer ----

  /** The sum of squares of all elements of all buffers, in order; waits for the result. */
  double sumOfSquares(List<DeviceBuffer> buffers);

  /**
   * One AdamW update in place, with {@code g = gradient * gradientScale}:
   *
   * <pre>
   * m = beta1 m + (1 - beta1) g        v = beta2 v + (1 - beta2) g^2
   * value -= learningRate * ((m / (1 - beta1^k)) / (sqrt(v / (1 - beta2^k)) + epsilon) + weightDecay * value)
   * </pre>
   */
  void adamW(
      AdamWStep step,
      DeviceBuffer gradient,
      DeviceBuffer value,
      DeviceBuffer expAvg,
      DeviceBuffer expAvgSq);

  /** Frees all memory and stops the threads; idempotent. */
  @Override
  void close();
}
