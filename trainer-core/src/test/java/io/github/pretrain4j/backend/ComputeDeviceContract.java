package io.github.pretrain4j.backend;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/**
 * What every device must do: compute what plain Java computes, the same bits every time, and own
 * its memory.
 */
public abstract class ComputeDeviceContract {
  /** fp32 sums of some hundred terms in another order, relative to the largest element. */
  private static final double TOLERANCE = 2e-5;

  /** Opens the device under test. */
  protected abstract ComputeDevice open(int threads);

  /** Runs one kernel on a device and returns what it wrote. */
  @FunctionalInterface
  private interface Kernel {
    List<float[]> run(Fixture fixture);
  }

  /**
   * A device, a source of numbers that is the same for every device, and buffers freed at the end.
   */
  private static final class Fixture implements AutoCloseable {
    final ComputeDevice device;
    final Random random = new Random(11);
    final List<DeviceBuffer> buffers = new ArrayList<>();

    Fixture(ComputeDevice device) {
      this.device = device;
    }

    DeviceBuffer floats(float... values) {
      DeviceBuffer buffer = device.allocate(ElementType.F32, values.length);
      buffers.add(buffer);
      device.upload(MemorySegment.ofArray(values), buffer);
      return buffer;
    }

    DeviceBuffer ints(int... values) {
      DeviceBuffer buffer = device.allocate(ElementType.I32, values.length);
      buffers.add(buffer);
      device.upload(MemorySegment.ofArray(values), buffer);
      return buffer;
    }

    DeviceBuffer gaussian(int count) {
      float[] values = new float[count];
      for (int i = 0; i < count; i++) {
        values[i] = (float) random.nextGaussian();
      }
      return floats(values);
    }

    /** Not-a-number everywhere: an output that must be overwritten. */
    DeviceBuffer undefined(int count) {
      DeviceBuffer buffer = floats(new float[count]);
      device.fill(buffer, Float.NaN);
      return buffer;
    }

    int[] below(int limit, int count) {
      return random.ints(count, 0, limit).toArray();
    }

    float[] read(DeviceBuffer buffer) {
      float[] values = new float[(int) buffer.elementCount()];
      device.download(buffer, MemorySegment.ofArray(values));
      return values;
    }

    @Override
    public void close() {
      buffers.forEach(device::free);
    }
  }

  private static Map<String, Kernel> kernels() {
    Map<String, Kernel> kernels = new LinkedHashMap<>();
    addElementwise(kernels);
    addGemms(kernels);
    addLinear(kernels);
    addRows(kernels);
    addAttention(kernels);
    addLossAndOptimizer(kernels);
    return kernels;
  }

  private static void addElementwise(Map<String, Kernel> kernels) {
    kernels.put(
        "fill, copy, add, scale",
        f -> {
          DeviceBuffer a = f.gaussian(40_003);
          DeviceBuffer b = f.undefined(40_003);
          f.device.copy(a, b);
          f.device.add(a, b, b);
          f.device.scale(b, 0.75f);
          f.device.fill(f.device.slice(b, 7, 40), 2.5f);
          f.device.fill(f.device.slice(b, 17, 4), 0);
          return List.of(f.read(b));
        });
  }

  private static void addGemms(Map<String, Kernel> kernels) {
    for (boolean transposeA : new boolean[] {false, true}) {
      for (boolean transposeB : new boolean[] {false, true}) {
        for (int[] size :
            new int[][] {{1, 1, 1}, {3, 5, 7}, {13, 70, 9}, {150, 67, 33}, {31, 171, 65}}) {
          for (float beta : new float[] {0, 1}) {
            String name =
                "gemm %s %s %s beta %.0f"
                    .formatted(
                        transposeA ? "T" : "N",
                        transposeB ? "T" : "N",
                        java.util.Arrays.toString(size),
                        beta);
            kernels.put(
                name, f -> gemm(f, transposeA, transposeB, size[0], size[1], size[2], beta));
          }
        }
      }
    }
  }

  private static List<float[]> gemm(
      Fixture f, boolean transposeA, boolean transposeB, int m, int n, int k, float beta) {
    int lda = (transposeA ? m : k) + 3;
    int ldb = (transposeB ? k : n) + 2;
    int ldc = n + 1;
    DeviceBuffer a = f.gaussian(lda * (transposeA ? k : m));
    DeviceBuffer b = f.gaussian(ldb * (transposeB ? n : k));
    DeviceBuffer c = beta == 0 ? f.undefined(ldc * m) : f.gaussian(ldc * m);
    f.device.gemm(transposeA, transposeB, m, n, k, a, lda, b, ldb, beta, c, ldc);
    float[] all = f.read(c);
    float[] product = new float[m * n]; // without the gaps between rows
    for (int i = 0; i < m; i++) {
      System.arraycopy(all, i * ldc, product, i * n, n);
    }
    return List.of(product);
  }

  private static void addLinear(Map<String, Kernel> kernels) {
    kernels.put(
        "bias",
        f -> {
          DeviceBuffer y = f.gaussian(301 * 131);
          f.device.addBias(f.gaussian(131), y);
          DeviceBuffer dBias = f.gaussian(131);
          f.device.addBiasBackward(y, dBias);
          return List.of(f.read(y), f.read(dBias));
        });
    kernels.put(
        "embedding",
        f -> {
          DeviceBuffer tokens = f.ints(f.below(23, 300));
          DeviceBuffer y = f.undefined(300 * 77);
          f.device.embedding(tokens, f.gaussian(23 * 77), y);
          DeviceBuffer dWeight = f.gaussian(23 * 77);
          f.device.embeddingBackward(tokens, y, dWeight);
          return List.of(f.read(y), f.read(dWeight));
        });
  }

  private static void addRows(Map<String, Kernel> kernels) {
    kernels.put(
        "rmsNorm",
        f -> {
          int rows = 250;
          int width = 83;
          DeviceBuffer x = f.gaussian(rows * width);
          DeviceBuffer weight = f.gaussian(width);
          DeviceBuffer y = f.undefined(rows * width);
          DeviceBuffer rstd = f.undefined(rows);
          f.device.rmsNorm(x, weight, 1e-5f, y, rstd);
          DeviceBuffer dy = f.gaussian(rows * width);
          DeviceBuffer dx = f.undefined(rows * width);
          DeviceBuffer added = f.gaussian(rows * width);
          DeviceBuffer dWeight = f.gaussian(width);
          f.device.rmsNormBackward(dy, x, weight, rstd, false, dx, dWeight);
          f.device.rmsNormBackward(dy, x, weight, rstd, true, added, dWeight);
          return List.of(f.read(y), f.read(rstd), f.read(dx), f.read(added), f.read(dWeight));
        });
    kernels.put(
        "swiglu",
        f -> {
          int rows = 230;
          int width = 77;
          DeviceBuffer gateUp = f.gaussian(rows * 2 * width);
          f.device.scale(gateUp, 4);
          f.device.fill(f.device.slice(gateUp, 3, 1), -200);
          f.device.fill(f.device.slice(gateUp, 4, 1), 200);
          DeviceBuffer y = f.undefined(rows * width);
          f.device.swiglu(width, gateUp, y);
          DeviceBuffer dGateUp = f.undefined(rows * 2 * width);
          f.device.swigluBackward(width, f.gaussian(rows * width), gateUp, dGateUp);
          return List.of(f.read(y), f.read(dGateUp));
        });
  }

  private static void addAttention(Map<String, Kernel> kernels) {
    kernels.put(
        "rotary",
        f -> {
          AttentionShape shape = new AttentionShape(1, 37, 37, 3, 2, 44, Integer.MAX_VALUE);
          DeviceBuffer positions = f.ints(f.below(50, 37));
          DeviceBuffer cos = f.gaussian(50 * 22);
          DeviceBuffer sin = f.gaussian(50 * 22);
          DeviceBuffer qkv = f.gaussian(37 * shape.fusedWidth());
          f.device.rotary(shape, positions, cos, sin, false, qkv);
          float[] turned = f.read(qkv);
          f.device.rotary(shape, positions, cos, sin, true, qkv);
          return List.of(turned, f.read(qkv));
        });
    int all = Integer.MAX_VALUE;
    for (AttentionShape shape :
        List.of(
            new AttentionShape(1, 1, 1, 1, 1, 2, all),
            new AttentionShape(2, 7, 7, 2, 2, 6, 3),
            new AttentionShape(2, 131, 131, 1, 2, 18, all),
            new AttentionShape(1, 275, 275, 1, 1, 8, 3),
            new AttentionShape(1, 270, 270, 1, 2, 16, 100))) {
      kernels.put("attention " + shape, f -> attention(f, shape));
    }
    for (AttentionShape shape :
        List.of(
            new AttentionShape(2, 1, 9, 2, 2, 6, all),
            new AttentionShape(1, 3, 140, 1, 3, 20, 5),
            new AttentionShape(1, 20, 150, 2, 1, 16, all))) {
      kernels.put("attention over cache " + shape, f -> attentionOverCache(f, shape));
    }
  }

  private static List<float[]> attention(Fixture f, AttentionShape shape) {
    int rows = shape.batch() * shape.queryLength();
    DeviceBuffer qkv = f.gaussian(rows * shape.fusedWidth());
    DeviceBuffer y = f.undefined(rows * shape.outputWidth());
    DeviceBuffer lse = f.undefined(rows * shape.heads());
    f.device.attention(shape, qkv, y, lse);
    DeviceBuffer dQkv = f.undefined(rows * shape.fusedWidth());
    f.device.attentionBackward(shape, f.gaussian(rows * shape.outputWidth()), qkv, y, lse, dQkv);
    return List.of(f.read(y), f.read(lse), f.read(dQkv));
  }

  private static List<float[]> attentionOverCache(Fixture f, AttentionShape shape) {
    int capacity = shape.keyLength() + 5;
    int rows = shape.batch() * shape.queryLength();
    DeviceBuffer cache =
        f.gaussian(shape.batch() * capacity * shape.queryGroups() * 2 * shape.headWidth());
    DeviceBuffer qkv = f.gaussian(rows * shape.fusedWidth());
    DeviceBuffer y = f.undefined(rows * shape.outputWidth());
    f.device.appendKeyValues(shape, qkv, cache);
    f.device.attentionOverCache(shape, qkv, cache, y);
    return List.of(f.read(cache), f.read(y));
  }

  private static void addLossAndOptimizer(Map<String, Kernel> kernels) {
    kernels.put(
        "softmaxCrossEntropy",
        f -> {
          int rows = 9;
          int columns = 2_119;
          DeviceBuffer logits = f.gaussian(rows * columns);
          f.device.scale(logits, 5);
          DeviceBuffer labels = f.ints(0, 2_000, 17, 5, 1_999, -1, 3, 4, 2_000);
          DeviceBuffer weights = f.floats(1, 0.5f, 1, 1, 1, 0, 1, 2, 1);
          DeviceBuffer losses = f.undefined(rows);
          DeviceBuffer copy = f.undefined(rows * columns);
          f.device.copy(logits, copy);
          DeviceBuffer withoutGradient = f.undefined(rows);
          f.device.softmaxCrossEntropy(2_001, labels, weights, false, copy, withoutGradient);
          f.device.softmaxCrossEntropy(2_001, labels, weights, true, logits, losses);
          return List.of(f.read(logits), f.read(losses), f.read(withoutGradient));
        });
    kernels.put(
        "sumOfSquares",
        f -> {
          DeviceBuffer x = f.gaussian(50_001);
          return List.of(new float[] {(float) f.device.sumOfSquares(List.of(x, f.gaussian(3)))});
        });
    kernels.put(
        "adamW",
        f -> {
          int count = 33_333;
          DeviceBuffer gradient = f.gaussian(count);
          DeviceBuffer value = f.gaussian(count);
          DeviceBuffer expAvg = f.floats(new float[count]);
          DeviceBuffer expAvgSq = f.floats(new float[count]);
          for (int step = 1; step <= 3; step++) {
            f.device.adamW(
                new AdamWStep(1e-2f, 0.9f, 0.95f, 1e-8f, 0.1f, 0.5f, step),
                gradient,
                value,
                expAvg,
                expAvgSq);
          }
          return List.of(f.read(value), f.read(expAvg), f.read(expAvgSq));
        });
  }

  private static List<float[]> run(ComputeDevice device, Kernel kernel) {
    try (Fixture fixture = new Fixture(device)) {
      return kernel.run(fixture);
    }
  }

  @TestFactory
  Stream<DynamicTest> computesWhatPlainJavaComputes() {
    ComputeDevice device = open(2);
    ComputeDevice reference = ComputeBackends.find("java").open(new DeviceConfig(1));
    return kernels().entrySet().stream()
        .map(
            kernel ->
                dynamicTest(kernel.getKey(), () -> compare(device, reference, kernel.getValue())))
        .onClose(device::close)
        .onClose(reference::close);
  }

  private static void compare(ComputeDevice device, ComputeDevice reference, Kernel kernel) {
    List<float[]> expected = run(reference, kernel);
    List<float[]> found = run(device, kernel);
    for (int output = 0; output < expected.size(); output++) {
      float[] e = expected.get(output);
      float[] f = found.get(output);
      assertEquals(e.length, f.length);
      double largest = 0;
      for (float value : e) {
        largest = Math.max(largest, Math.abs(value));
      }
      for (int i = 0; i < e.length; i++) {
        int index = i;
        assertEquals(e[i], f[i], TOLERANCE * (1 + largest), () -> "element " + index);
      }
    }
  }

  @TestFactory
  Stream<DynamicTest> computesTheSameBitsWithAnyNumberOfThreads() {
    ComputeDevice one = open(1);
    ComputeDevice two = open(2);
    ComputeDevice three = open(3);
    return kernels().entrySet().stream()
        .map(
            kernel ->
                dynamicTest(
                    kernel.getKey(),
                    () -> {
                      List<float[]> expected = run(one, kernel.getValue());
                      for (ComputeDevice device : List.of(one, two, two, three)) {
                        assertSameBits(expected, run(device, kernel.getValue()));
                      }
                    }))
        .onClose(one::close)
        .onClose(two::close)
        .onClose(three::close);
  }

  private static void assertSameBits(List<float[]> expected, List<float[]> found) {
    for (int i = 0; i < expected.size(); i++) {
      assertArrayEquals(bits(expected.get(i)), bits(found.get(i)));
    }
  }

  private static int[] bits(float[] values) {
    int[] bits = new int[values.length];
    for (int i = 0; i < bits.length; i++) {
      bits[i] = Float.floatToRawIntBits(values[i]);
    }
    return bits;
  }

  @Test
  void countsItsMemory() {
    ComputeDevice device = open(1);
    DeviceBuffer buffer = device.allocate(ElementType.F32, 100);
    assertEquals(1, device.memoryUse().allocations());
    assertTrue(device.memoryUse().bytes() >= 400);
    device.free(buffer);
    assertEquals(0, device.memoryUse().allocations());
    assertTrue(device.memoryUse().peakBytes() >= 400);
    device.close();
    device.close();
    assertThrows(IllegalStateException.class, () -> device.allocate(ElementType.F32, 1));
  }

  @Test
  void refusesWhatDoesNotFit() {
    try (ComputeDevice device = open(1);
        ComputeDevice other = open(1)) {
      DeviceBuffer floats = device.allocate(ElementType.F32, 6);
      DeviceBuffer ints = device.allocate(ElementType.I32, 6);
      DeviceBuffer elsewhere = other.allocate(ElementType.F32, 6);
      assertThrows(IllegalArgumentException.class, () -> device.add(floats, ints, floats));
      assertThrows(IllegalArgumentException.class, () -> device.add(floats, elsewhere, floats));
      assertThrows(IllegalArgumentException.class, () -> device.slice(floats, 4, 3));
      assertThrows(IllegalArgumentException.class, () -> device.free(device.slice(floats, 1, 2)));
      assertThrows(
          IllegalArgumentException.class,
          () ->
              device.gemm(
                  false, false, 2, 3, 2, floats, 2, floats, 3, 0, device.slice(floats, 0, 5), 3));
      assertThrows(
          IllegalArgumentException.class,
          () -> device.upload(MemorySegment.ofArray(new float[5]), floats));
    }
  }
}
