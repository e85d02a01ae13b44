package io.github.pretrain4j.tensor;

import io.github.pretrain4j.backend.ComputeDevice;
import io.github.pretrain4j.backend.DeviceBuffer;
import io.github.pretrain4j.backend.ElementType;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Device memory that is used again and again: after the first of a series of equal iterations
 * nothing is allocated.
 *
 * <p>Sizes are rounded up to a class, four to each power of two, so that generating texts of ever
 * new lengths does not collect buffers without bound. At most a fifth of a buffer is unused.
 */
final class BufferPool implements AutoCloseable {
  private static final long SMALLEST_CLASS = 64;

  private final ComputeDevice device;
  private final Map<ElementType, TreeMap<Long, Deque<DeviceBuffer>>> free =
      new EnumMap<>(ElementType.class);
  private final List<Storage> handedOut = new ArrayList<>();

  BufferPool(ComputeDevice device) {
    this.device = device;
    for (ElementType type : ElementType.values()) {
      free.put(type, new TreeMap<>());
    }
  }

  /** Memory of undefined content, held once by the caller. */
  Storage acquire(ElementType type, long elementCount) {
    long size = sizeClass(elementCount);
    Deque<DeviceBuffer> available = freeOf(type, size);
    DeviceBuffer whole = available.isEmpty() ? device.allocate(type, size) : available.pop();
    Storage storage = new Storage(this, whole, device.slice(whole, 0, elementCount));
    handedOut.add(storage);
    return storage;
  }

  /** To be called by {@link Storage} alone. */
  void giveBack(Storage storage) {
    DeviceBuffer whole = storage.whole();
    freeOf(whole.type(), whole.elementCount()).push(whole);
  }

  /** How many storages were acquired since the last {@link #reset}. */
  int mark() {
    return handedOut.size();
  }

  /** Gives back all storages acquired since {@code mark}, except one. */
  void releaseSince(int mark, Storage except) {
    List<Storage> recent = handedOut.subList(mark, handedOut.size());
    for (Storage storage : recent) {
      if (storage != except) {
        storage.releaseAll();
      }
    }
    boolean exceptIsRecent = recent.contains(except);
    recent.clear();
    if (exceptIsRecent) {
      handedOut.add(except);
    }
  }

  /** Gives back everything. */
  void reset() {
    handedOut.forEach(Storage::releaseAll);
    handedOut.clear();
  }

  @Override
  public void close() {
    reset();
    for (TreeMap<Long, Deque<DeviceBuffer>> sizes : free.values()) {
      sizes.values().forEach(buffers -> buffers.forEach(device::free));
      sizes.clear();
    }
  }

  private Deque<DeviceBuffer> freeOf(ElementType type, long size) {
    TreeMap<Long, Deque<DeviceBuffer>> sizes = free.get(type);
    if (sizes == null) {
      throw new IllegalArgumentException("no pool of " + type);
    }
    return sizes.computeIfAbsent(size, unused -> new ArrayDeque<>());
  }

  static long sizeClass(long elementCount) {
    if (elementCount <= SMALLEST_CLASS) {
      return SMALLEST_CLASS;
    }
    long step = Long.highestOneBit(elementCount - 1) / 4;
    return Math.multiplyExact(Math.ceilDiv(elementCount, step), step);
  }
}
