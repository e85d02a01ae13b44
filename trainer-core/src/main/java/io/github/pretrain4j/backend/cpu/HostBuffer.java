package io.github.pretrain4j.backend.cpu;

import io.github.pretrain4j.backend.DeviceBuffer;
import io.github.pretrain4j.backend.ElementType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * Off-heap memory of a {@link HostDevice}. A slice has no arena of its own: its origin's close ends
 * it.
 */
final class HostBuffer implements DeviceBuffer {
  private final HostDevice owner;
  private final ElementType type;
  private final MemorySegment segment;
  private final @Nullable Arena arena;

  HostBuffer(HostDevice owner, ElementType type, MemorySegment segment, @Nullable Arena arena) {
    this.owner = owner;
    this.type = type;
    this.segment = segment;
    this.arena = arena;
  }

  @Override
  public ElementType type() {
    return type;
  }

  @Override
  public long elementCount() {
    return segment.byteSize() / type.bytes();
  }

  HostDevice owner() {
    return owner;
  }

  MemorySegment segment() {
    return segment;
  }

  @Nullable Arena arena() {
    return arena;
  }

  HostBuffer slice(long offset, long elementCount) {
    long bytes = type.bytes();
    return new HostBuffer(
        owner,
        type,
        segment.asSlice(Math.multiplyExact(offset, bytes), Math.multiplyExact(elementCount, bytes)),
        null);
  }
}
