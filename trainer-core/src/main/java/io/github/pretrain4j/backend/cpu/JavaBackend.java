package io.github.pretrain4j.backend.cpu;

import io.github.pretrain4j.backend.Availability;
import io.github.pretrain4j.backend.ComputeBackend;
import io.github.pretrain4j.backend.ComputeDevice;
import io.github.pretrain4j.backend.DeviceConfig;

/** Plain Java in one thread: slow, works everywhere, and is the reference for all others. */
public final class JavaBackend implements ComputeBackend {
  @Override
  public String name() {
    return "java";
  }

  @Override
  public Availability availability() {
    return new Availability.Available("plain Java, one thread");
  }

  @Override
  public int priority() {
    return 0;
  }

  @Override
  public ComputeDevice open(DeviceConfig config) {
    return new HostDevice(new ReferenceKernels());
  }
}
