package io.github.pretrain4j.backend.cpu;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Off-heap memory that grows to what was asked for and is used again; content is undefined. One
 * user at a time.
 */
final class ScratchMemory implements AutoCloseable {
  private Arena arena = Arena.ofShared();
  private MemorySegment segment = MemorySegment.NULL;

  /**
   * At least that many bytes, 64-byte aligned; earlier segments become invalid if it had to grow.
   */
  MemorySegment bytes(long size) {
    if (segment.byteSize() < size) {
      arena.close();
      arena = Arena.ofShared();
      segment = arena.allocate(Math.max(size, 1), 64);
    }
    return segment;
  }

  MemorySegment floats(long count) {
    return bytes(Math.multiplyExact(count, (long) Float.BYTES));
  }

  long byteCount() {
    return segment.byteSize();
  }

  @Override
  public void close() {
    arena.close();
    arena = Arena.ofShared();
    segment = MemorySegment.NULL;
  }
}
