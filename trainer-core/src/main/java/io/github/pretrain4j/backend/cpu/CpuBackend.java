package io.github.pretrain4j.backend.cpu;

import io.github.pretrain4j.backend.Availability;
import io.github.pretrain4j.backend.ComputeBackend;
import io.github.pretrain4j.backend.ComputeDevice;
import io.github.pretrain4j.backend.DeviceConfig;
import java.io.IOException;

/**
 * Fast on any CPU: oneDNN for products, the Vector API for the rest, each replaced by Java where it
 * is missing.
 */
public final class CpuBackend implements ComputeBackend {
  private static final System.Logger LOG = System.getLogger(CpuBackend.class.getName());
  private static final String VECTOR_MODULE = "jdk.incubator.vector";

  @Override
  public String name() {
    return "cpu";
  }

  @Override
  public Availability availability() {
    String rows =
        vectorApi() ? "Vector API" : "plain Java (no --add-modules " + VECTOR_MODULE + ")";
    return new Availability.Available("oneDNN where it loads, " + rows);
  }

  @Override
  public int priority() {
    return 10;
  }

  @Override
  public ComputeDevice open(DeviceConfig config) {
    RowKernels rows = rows();
    TileGemm gemm = gemm(config.threads());
    return new HostDevice(new ParallelKernels(rows, gemm, new WorkerPool(config.threads())));
  }

  private static boolean vectorApi() {
    return ModuleLayer.boot().findModule(VECTOR_MODULE).isPresent();
  }

  private static RowKernels rows() {
    if (vectorApi()) {
      return new VectorRows();
    }
    LOG.log(
        System.Logger.Level.WARNING,
        "the Vector API is missing, computing in plain Java: start the JVM with --add-modules {0} to be several times faster",
        VECTOR_MODULE);
    return new ScalarRows();
  }

  private static TileGemm gemm(int threads) {
    String reason;
    try {
      NativeLibraries.Extracted files = NativeLibraries.extract();
      return new OneDnnGemm(new OneDnn(files.openMp(), files.library()), threads);
    } catch (IOException | RuntimeException e) {
      reason = e.toString();
    }
    LOG.log(
        System.Logger.Level.WARNING,
        "oneDNN is missing, computing matrix products in {0}, which is slower: {1}",
        vectorApi() ? "the Vector API" : "plain Java",
        reason);
    return vectorApi() ? new VectorGemm(threads) : new PlainGemm();
  }
}
