package io.github.pretrain4j.benchmarks;

import io.github.pretrain4j.backend.ComputeBackends;
import io.github.pretrain4j.backend.ComputeDevice;
import io.github.pretrain4j.backend.DeviceBuffer;
import io.github.pretrain4j.backend.DeviceConfig;
import io.github.pretrain4j.backend.ElementType;
import java.lang.foreign.MemorySegment;
import java.util.Objects;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * How long a backend takes for the matrix product of a linear layer, {@code y = x weight^T}, of
 * three sizes alike: {@code 2 size^3} floating-point operations.
 *
 * <p>The baseline is the backend "java", plain loops on one thread. One thread is therefore the
 * default for the candidate too.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Fork(1)
@Warmup(iterations = 5, time = 1)
@Measurement(iterations = 5, time = 1)
public class GemmBenchmark {
  /** Baseline, then candidate. */
  @Param({"java", "cpu"})
  public String backend = "java";

  /** Rows and columns of each of the three matrices. */
  @Param("512")
  public int size;

  /** Threads of the device; the baseline has one whatever this says. */
  @Param("1")
  public int threads;

  private @Nullable Matrices opened;

  /** A device and three square matrices on it. */
  private static final class Matrices implements AutoCloseable {
    final ComputeDevice device;
    final int size;
    final DeviceBuffer x;
    final DeviceBuffer weight;
    final DeviceBuffer y;
    final DeviceBuffer lastOfY;
    final float[] result = new float[1];

    Matrices(ComputeDevice device, int size) {
      this.device = device;
      this.size = size;
      long elements = (long) size * size;
      SplittableRandom random = new SplittableRandom(1);
      x = randomMatrix(random, Math.toIntExact(elements));
      weight = randomMatrix(random, Math.toIntExact(elements));
      y = device.allocate(ElementType.F32, elements);
      lastOfY = device.slice(y, elements - 1, 1);
    }

    private DeviceBuffer randomMatrix(SplittableRandom random, int elements) {
      float[] values = new float[elements];
      for (int i = 0; i < elements; i++) {
        values[i] = (float) random.nextDouble(-1, 1);
      }
      DeviceBuffer matrix = device.allocate(ElementType.F32, elements);
      device.upload(MemorySegment.ofArray(values), matrix);
      return matrix;
    }

    /** Downloading waits for the product, on a device that works behind the caller's back too. */
    float multiply() {
      device.gemm(false, true, size, size, size, x, size, weight, size, 0, y, size);
      device.download(lastOfY, MemorySegment.ofArray(result));
      return result[0];
    }

    @Override
    public void close() {
      device.close();
    }
  }

  @Setup
  public void open() {
    opened = new Matrices(ComputeBackends.find(backend).open(new DeviceConfig(threads)), size);
  }

  @TearDown
  public void close() {
    Objects.requireNonNull(opened).close();
  }

  /** One product; returns its last element. */
  @Benchmark
  public float gemm() {
    return Objects.requireNonNull(opened).multiply();
  }
}
