package io.github.pretrain4j.backend.cpu;

import io.github.pretrain4j.backend.ComputeBackends;
import io.github.pretrain4j.backend.ComputeDevice;
import io.github.pretrain4j.backend.ComputeDeviceContract;
import io.github.pretrain4j.backend.DeviceConfig;

/** The reference itself. */
class JavaDeviceTest extends ComputeDeviceContract {
  @Override
  protected ComputeDevice open(int threads) {
    return ComputeBackends.find("java").open(new DeviceConfig(threads));
  }
}
