package io.github.pretrain4j.backend.cpu;

import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.pretrain4j.backend.ComputeBackends;
import io.github.pretrain4j.backend.ComputeDevice;
import io.github.pretrain4j.backend.ComputeDeviceContract;
import io.github.pretrain4j.backend.DeviceConfig;
import org.junit.jupiter.api.Test;

/** The fast backend with all its parts. */
class CpuDeviceTest extends ComputeDeviceContract {
  @Override
  protected ComputeDevice open(int threads) {
    return ComputeBackends.find("cpu").open(new DeviceConfig(threads));
  }

  @Test
  void usesTheVectorApi() {
    try (ComputeDevice device = open(1)) {
      assertTrue(device.description().contains("Vector API of"), device.description());
    }
  }
}
