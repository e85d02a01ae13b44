package io.github.pretrain4j.backend.cpu;

import io.github.pretrain4j.backend.ComputeDevice;
import io.github.pretrain4j.backend.ComputeDeviceContract;

/** The fast backend where neither oneDNN nor the Vector API is there. */
class CpuDeviceInPlainJavaTest extends ComputeDeviceContract {
  @Override
  protected ComputeDevice open(int threads) {
    return new HostDevice(
        new ParallelKernels(new ScalarRows(), new PlainGemm(), new WorkerPool(threads)));
  }
}
