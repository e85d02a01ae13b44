package io.github.pretrain4j.backend.cpu;

import io.github.pretrain4j.backend.ComputeDevice;
import io.github.pretrain4j.backend.ComputeDeviceContract;

/** The fast backend where oneDNN does not load. */
class CpuDeviceWithoutOneDnnTest extends ComputeDeviceContract {
  @Override
  protected ComputeDevice open(int threads) {
    return new HostDevice(
        new ParallelKernels(new VectorRows(), new VectorGemm(threads), new WorkerPool(threads)));
  }
}
