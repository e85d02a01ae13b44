package io.github.pretrain4j.backend.cpu;

import io.github.pretrain4j.backend.AdamWStep;
import io.github.pretrain4j.backend.AttentionShape;
import io.github.pretrain4j.backend.ComputeDevice;
import io.github.pretrain4j.backend.DeviceBuffer;
import io.github.pretrain4j.backend.ElementType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Set;

/**
 * A device whose memory is the host's, off-heap and 64-byte aligned. Owns the memory, checks every
 * argument, and leaves the arithmetic to {@link HostKernels}.
 *
 * <p>An allocation has an arena of its own, which costs microseconds to open and close: callers
 * keep and reuse buffers rather than allocate per operation.
 */
final class HostDevice implements ComputeDevice {
  private static final long ALIGNMENT = 64;

  private final HostKernels kernels;
  private final Set<HostBuffer> allocations = Collections.newSetFromMap(new IdentityHashMap<>());
  private long bytes;
  private long peakBytes;
  private long allocationsMade;
  private boolean closed;

  /** Takes over the kernels and closes them. */
  HostDevice(HostKernels kernels) {
    this.kernels = kernels;
  }

  @Override
  public String description() {
    return kernels.description();
  }

  // ---- memory ----

  @Override
  public DeviceBuffer allocate(ElementType type, long elementCount) {
    if (closed) {
      throw new IllegalStateException("device is closed");
    }
    if (elementCount < 1) {
      throw new IllegalArgumentException(
          "elementCount: expected at least 1, found " + elementCount);
    }
    long size = Math.multiplyExact(elementCount, (long) type.bytes());
    Arena arena = Arena.ofShared();
    HostBuffer buffer;
    try {
      buffer = new HostBuffer(this, type, arena.allocate(size, ALIGNMENT), arena);
    } catch (RuntimeException | OutOfMemoryError e) {
      arena.close();
      throw e;
    }
    allocations.add(buffer);
    allocationsMade++;
    bytes += size;
    peakBytes = Math.max(peakBytes, bytes);
    return buffer;
  }

  @Override
  public DeviceBuffer slice(DeviceBuffer buffer, long offset, long elementCount) {
    HostBuffer origin = own(buffer);
    if (offset == 0 && elementCount == origin.elementCount() && origin.arena() == null) {
      return origin;
    }
    if (offset < 0 || elementCount < 0 || elementCount > origin.elementCount() - offset) {
      throw new IllegalArgumentException(
          "slice of " + elementCount + " elements from " + offset + " of " + origin.elementCount());
    }
    return origin.slice(offset, elementCount);
  }

  @Override
  public void free(DeviceBuffer buffer) {
    HostBuffer own = own(buffer);
    if (own.arena() == null) {
      throw new IllegalArgumentException("a slice cannot be freed");
    }
    if (allocations.remove(own)) {
      bytes -= own.byteCount();
      own.arena().close();
    }
  }

  @Override
  public void upload(MemorySegment source, DeviceBuffer target) {
    MemorySegment to = own(target).segment();
    requireSize("upload", to.byteSize(), source.byteSize());
    to.copyFrom(source);
  }

  @Override
  public void download(DeviceBuffer source, MemorySegment target) {
    MemorySegment from = own(source).segment();
    requireSize("download", from.byteSize(), target.byteSize());
    target.copyFrom(from);
  }

  private static void requireSize(String what, long expected, long found) {
    if (expected != found) {
      throw new IllegalArgumentException(
          what + ": buffer has " + expected + " bytes, host memory " + found);
    }
  }

  @Override
  public MemoryUse memoryUse() {
    long scratch = kernels.scratchBytes(); // only grows: part of the peak
    return new MemoryUse(bytes + scratch, peakBytes + scratch, allocations.size(), allocationsMade);
  }

  // ---- elementwise ----

  @Override
  public void fill(DeviceBuffer y, float value) {
    kernels.fill(y.elementCount(), f32("y", y), value);
  }

  @Override
  public void copy(DeviceBuffer x, DeviceBuffer y) {
    if (x.type() != y.type() || x.elementCount() != y.elementCount()) {
      throw new IllegalArgumentException(
          "copy of "
              + x.elementCount()
              + " "
              + x.type()
              + " to "
              + y.elementCount()
              + " "
              + y.type());
    }
    own(y).segment().copyFrom(own(x).segment());
  }

  @Override
  public void add(DeviceBuffer a, DeviceBuffer b, DeviceBuffer y) {
    long count = y.elementCount();
    kernels.add(count, f32("a", a, count), f32("b", b, count), f32("y", y));
  }

  @Override
  public void scale(DeviceBuffer y, float factor) {
    kernels.scale(y.elementCount(), f32("y", y), factor);
  }

  // ---- linear ----

  @Override
  public void gemm(
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
      int ldc) {
    if (m < 1 || n < 1 || k < 1) {
      throw new IllegalArgumentException("gemm of " + m + " x " + n + " x " + k);
    }
    if (beta != 0 && beta != 1) {
      throw new IllegalArgumentException("gemm: beta is " + beta + ", neither 0 nor 1");
    }
    MemorySegment aSegment = matrix("a", a, transposeA ? k : m, transposeA ? m : k, lda);
    MemorySegment bSegment = matrix("b", b, transposeB ? n : k, transposeB ? k : n, ldb);
    MemorySegment cSegment = matrix("c", c, m, n, ldc);
    kernels.gemm(
        transposeA, transposeB, m, n, k, aSegment, lda, bSegment, ldb, beta == 1, cSegment, ldc);
  }

  private MemorySegment matrix(
      String name, DeviceBuffer buffer, int rows, int columns, int stride) {
    if (stride < columns || buffer.elementCount() < (long) (rows - 1) * stride + columns) {
      throw new IllegalArgumentException(
          "gemm: "
              + name
              + " of "
              + rows
              + " x "
              + columns
              + ", stride "
              + stride
              + ", in "
              + buffer.elementCount()
              + " elements");
    }
    return f32(name, buffer);
  }

  @Override
  public void addBias(DeviceBuffer biasO, DeviceBuffer yNO) {
    int width = intCount(biasO);
    kernels.addBias(rows("yNO", yNO, width), width, f32("biasO", biasO), f32("yNO", yNO));
  }

  @Override
  public void addBiasBackward(DeviceBuffer dyNO, DeviceBuffer dBiasO) {
    int width = intCount(dBiasO);
    kernels.addBiasBackward(
        rows("dyNO", dyNO, width), width, f32("dyNO", dyNO), f32("dBiasO", dBiasO));
  }

  @Override
  public void embedding(DeviceBuffer tokensN, DeviceBuffer weightVD, DeviceBuffer yND) {
    int rows = intCount(tokensN);
    int width = width("yND", yND, rows);
    rows("weightVD", weightVD, width);
    kernels.embedding(
        rows, width, i32("tokensN", tokensN, rows), f32("weightVD", weightVD), f32("yND", yND));
  }

  @Override
  public void embeddingBackward(DeviceBuffer tokensN, DeviceBuffer dyND, DeviceBuffer dWeightVD) {
    int rows = intCount(tokensN);
    int width = width("dyND", dyND, rows);
    rows("dWeightVD", dWeightVD, width);
    kernels.embeddingBackward(
        rows, width, i32("tokensN", tokensN, rows), f32("dyND", dyND), f32("dWeightVD", dWeightVD));
  }

  // ---- normalisation, activation ----

  @Override
  public void rmsNorm(
      DeviceBuffer xND, DeviceBuffer weightD, float epsilon, DeviceBuffer yND, DeviceBuffer rstdN) {
    int width = intCount(weightD);
    int rows = intCount(rstdN);
    long count = (long) rows * width;
    kernels.rmsNorm(
        rows,
        width,
        f32("xND", xND, count),
        f32("weightD", weightD),
        epsilon,
        f32("yND", yND, count),
        f32("rstdN", rstdN));
  }

  @Override
  public void rmsNormBackward(
      DeviceBuffer dyND,
      DeviceBuffer xND,
      DeviceBuffer weightD,
      DeviceBuffer rstdN,
      boolean accumulate,
      DeviceBuffer dxND,
      DeviceBuffer dWeightD) {
    int width = intCount(weightD);
    int rows = intCount(rstdN);
    long count = (long) rows * width;
    kernels.rmsNormBackward(
        rows,
        width,
        f32("dyND", dyND, count),
        f32("xND", xND, count),
        f32("weightD", weightD),
        f32("rstdN", rstdN),
        accumulate,
        f32("dxND", dxND, count),
        f32("dWeightD", dWeightD, width));
  }

  @Override
  public void swiglu(int width, DeviceBuffer gateUpN2F, DeviceBuffer yNF) {
    int rows = rows("yNF", yNF, width);
    kernels.swiglu(rows, width, f32("gateUpN2F", gateUpN2F, 2L * rows * width), f32("yNF", yNF));
  }

  @Override
  public void swigluBackward(
      int width, DeviceBuffer dyNF, DeviceBuffer gateUpN2F, DeviceBuffer dGateUpN2F) {
    int rows = rows("dyNF", dyNF, width);
    long count = 2L * rows * width;
    kernels.swigluBackward(
        rows,
        width,
        f32("dyNF", dyNF),
        f32("gateUpN2F", gateUpN2F, count),
        f32("dGateUpN2F", dGateUpN2F, count));
  }

  // ---- attention ----

  @Override
  public void rotary(
      AttentionShape shape,
      DeviceBuffer positionsN,
      DeviceBuffer cosPK2,
      DeviceBuffer sinPK2,
      boolean inverse,
      DeviceBuffer qkvNW) {
    if (shape.headWidth() % 2 != 0) {
      throw new IllegalArgumentException("rotary of odd head width " + shape.headWidth());
    }
    int rows = intCount(positionsN);
    rows("cosPK2", cosPK2, shape.headWidth() / 2);
    kernels.rotary(
        shape,
        rows,
        i32("positionsN", positionsN, rows),
        f32("cosPK2", cosPK2),
        f32("sinPK2", sinPK2, cosPK2.elementCount()),
        inverse,
        f32("qkvNW", qkvNW, (long) rows * shape.fusedWidth()));
  }

  @Override
  public void attention(
      AttentionShape shape, DeviceBuffer qkvNW, DeviceBuffer yNHK, DeviceBuffer lseBHT) {
    requireWhole(shape);
    MemorySegment qkv = f32("qkvNW", qkvNW, queryRows(shape) * shape.fusedWidth());
    kernels.attention(
        shape,
        qkv,
        KeyValues.inFused(shape, qkv),
        f32("yNHK", yNHK, queryRows(shape) * shape.outputWidth()),
        f32("lseBHT", lseBHT, queryRows(shape) * shape.heads()));
  }

  @Override
  public void attentionBackward(
      AttentionShape shape,
      DeviceBuffer dyNHK,
      DeviceBuffer qkvNW,
      DeviceBuffer yNHK,
      DeviceBuffer lseBHT,
      DeviceBuffer dQkvNW) {
    requireWhole(shape);
    long fused = queryRows(shape) * shape.fusedWidth();
    long output = queryRows(shape) * shape.outputWidth();
    kernels.attentionBackward(
        shape,
        f32("dyNHK", dyNHK, output),
        f32("qkvNW", qkvNW, fused),
        f32("yNHK", yNHK, output),
        f32("lseBHT", lseBHT, queryRows(shape) * shape.heads()),
        f32("dQkvNW", dQkvNW, fused));
  }

  @Override
  public void appendKeyValues(AttentionShape shape, DeviceBuffer qkvNW, DeviceBuffer cacheBCG2K) {
    MemorySegment qkv = f32("qkvNW", qkvNW, queryRows(shape) * shape.fusedWidth());
    KeyValues cache = cache(shape, cacheBCG2K);
    long keyOffset = (long) shape.headsPerGroup() * shape.headWidth();
    long pairBytes = 2L * shape.headWidth() * Float.BYTES;
    for (int sequence = 0; sequence < shape.batch(); sequence++) {
      for (int t = 0; t < shape.queryLength(); t++) {
        for (int group = 0; group < shape.queryGroups(); group++) {
          int firstHead = group * shape.headsPerGroup();
          long from = KeyValues.query(shape, sequence, t, firstHead) + keyOffset;
          long to = cache.key(sequence, shape.queryOffset() + t, group);
          MemorySegment.copy(qkv, from * Float.BYTES, cache.segment(), to * Float.BYTES, pairBytes);
        }
      }
    }
  }

  @Override
  public void attentionOverCache(
      AttentionShape shape, DeviceBuffer qkvNW, DeviceBuffer cacheBCG2K, DeviceBuffer yNHK) {
    kernels.attention(
        shape,
        f32("qkvNW", qkvNW, queryRows(shape) * shape.fusedWidth()),
        cache(shape, cacheBCG2K),
        f32("yNHK", yNHK, queryRows(shape) * shape.outputWidth()),
        null);
  }

  private KeyValues cache(AttentionShape shape, DeviceBuffer cacheBCG2K) {
    int row = shape.batch() * shape.queryGroups() * 2 * shape.headWidth();
    int capacity = rows("cacheBCG2K", cacheBCG2K, row);
    if (capacity < shape.keyLength()) {
      throw new IllegalArgumentException(
          "cache of " + capacity + " positions for " + shape.keyLength() + " keys");
    }
    return KeyValues.inCache(shape, f32("cacheBCG2K", cacheBCG2K), capacity);
  }

  private static void requireWhole(AttentionShape shape) {
    if (shape.queryLength() != shape.keyLength()) {
      throw new IllegalArgumentException(
          "attention without a cache needs as many keys as queries: " + shape);
    }
  }

  private static long queryRows(AttentionShape shape) {
    return (long) shape.batch() * shape.queryLength();
  }

  // ---- loss, optimizer ----

  @Override
  public void softmaxCrossEntropy(
      int vocabularySize,
      DeviceBuffer labelsN,
      DeviceBuffer weightsN,
      boolean gradient,
      DeviceBuffer logitsNV,
      DeviceBuffer lossesN) {
    int rows = intCount(labelsN);
    int columns = width("logitsNV", logitsNV, rows);
    if (vocabularySize < 1 || vocabularySize > columns) {
      throw new IllegalArgumentException(
          "vocabulary of " + vocabularySize + " in " + columns + " columns");
    }
    kernels.softmaxCrossEntropy(
        rows,
        columns,
        vocabularySize,
        i32("labelsN", labelsN, rows),
        f32("weightsN", weightsN, rows),
        gradient,
        f32("logitsNV", logitsNV),
        f32("lossesN", lossesN, rows));
  }

  @Override
  public double sumOfSquares(List<DeviceBuffer> buffers) {
    double sum = 0;
    for (DeviceBuffer buffer : buffers) {
      sum += kernels.sumOfSquares(buffer.elementCount(), f32("buffer", buffer));
    }
    return sum;
  }

  @Override
  public void adamW(
      AdamWStep step,
      DeviceBuffer gradient,
      DeviceBuffer value,
      DeviceBuffer expAvg,
      DeviceBuffer expAvgSq) {
    long count = value.elementCount();
    kernels.adamW(
        count,
        step,
        f32("gradient", gradient, count),
        f32("value", value),
        f32("expAvg", expAvg, count),
        f32("expAvgSq", expAvgSq, count));
  }

  @Override
  public void close() {
    if (!closed) {
      closed = true;
      kernels.close();
      for (HostBuffer buffer : List.copyOf(allocations)) {
        free(buffer);
      }
    }
  }

  // ---- checks ----

  private HostBuffer own(DeviceBuffer buffer) {
    if (buffer instanceof HostBuffer host && host.owner() == this) {
      return host;
    }
    throw new IllegalArgumentException("this buffer belongs to another device");
  }

  private MemorySegment typed(String name, DeviceBuffer buffer, ElementType type, long count) {
    HostBuffer own = own(buffer);
    if (own.type() != type || own.elementCount() != count) {
      throw new IllegalArgumentException(
          name
              + ": expected "
              + count
              + " "
              + type
              + ", found "
              + own.elementCount()
              + " "
              + own.type());
    }
    return own.segment();
  }

  private MemorySegment f32(String name, DeviceBuffer buffer) {
    return typed(name, buffer, ElementType.F32, buffer.elementCount());
  }

  private MemorySegment f32(String name, DeviceBuffer buffer, long count) {
    return typed(name, buffer, ElementType.F32, count);
  }

  private MemorySegment i32(String name, DeviceBuffer buffer, long count) {
    return typed(name, buffer, ElementType.I32, count);
  }

  private static int intCount(DeviceBuffer buffer) {
    return Math.toIntExact(buffer.elementCount());
  }

  private static int rows(String name, DeviceBuffer buffer, int width) {
    if (width < 1 || buffer.elementCount() % width != 0) {
      throw new IllegalArgumentException(
          name + ": " + buffer.elementCount() + " elements are no rows of " + width);
    }
    return Math.toIntExact(buffer.elementCount() / width);
  }

  private static int width(String name, DeviceBuffer buffer, int rows) {
    return rows(name, buffer, rows);
  }
}
