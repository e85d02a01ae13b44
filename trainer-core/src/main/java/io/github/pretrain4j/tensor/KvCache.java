package io.github.pretrain4j.tensor;

import io.github.pretrain4j.backend.ComputeDevice;
import io.github.pretrain4j.backend.DeviceBuffer;
import io.github.pretrain4j.backend.ElementType;
import java.util.ArrayList;
import java.util.List;

/**
 * The keys and values of the tokens seen so far, for every layer, of {@code batch} sequences that
 * advance together.
 *
 * <p>A forward pass over an inference tape whose masks are {@link AttentionMask#over} these layers
 * appends its tokens; {@link #truncate} takes tokens back. Owns its memory until closed.
 */
public final class KvCache implements AutoCloseable {
  private final ComputeDevice device;
  private final int batch;
  private final int capacity;
  private final HeadLayout layout;
  private final List<Layer> layers = new ArrayList<>();
  private boolean closed;

  public KvCache(ComputeDevice device, int numLayers, int batch, int capacity, HeadLayout layout) {
    if (numLayers < 1 || batch < 1 || capacity < 1) {
      throw new IllegalArgumentException(
          "key-value cache of " + numLayers + " layers, batch " + batch + ", capacity " + capacity);
    }
    this.device = device;
    this.batch = batch;
    this.capacity = capacity;
    this.layout = layout;
    long elements =
        Math.multiplyExact((long) batch * capacity, 2L * layout.queryGroups() * layout.headWidth());
    try {
      for (int i = 0; i < numLayers; i++) {
        layers.add(new Layer(this, device.allocate(ElementType.F32, elements)));
      }
    } catch (RuntimeException | OutOfMemoryError e) {
      close();
      throw e;
    }
  }

  /** Tokens per sequence it can hold. */
  public int capacity() {
    return capacity;
  }

  /** Sequences that advance together. */
  public int batch() {
    return batch;
  }

  /** Tokens per sequence that every layer holds: the position of the next token. */
  public int length() {
    return layers.getLast().length;
  }

  public Layer layer(int index) {
    return layers.get(index);
  }

  /** Forgets all tokens from position {@code length} on. */
  public void truncate(int length) {
    if (length < 0 || length > length()) {
      throw new IllegalArgumentException("cannot truncate " + length() + " tokens to " + length);
    }
    layers.forEach(layer -> layer.length = length);
  }

  @Override
  public void close() {
    if (!closed) {
      closed = true;
      layers.forEach(layer -> device.free(layer.buffer));
    }
  }

  /** One layer's part. */
  public static final class Layer {
    private final KvCache cache;
    private final DeviceBuffer buffer;
    private int length;

    private Layer(KvCache cache, DeviceBuffer bufferBCG2K) {
      this.cache = cache;
      this.buffer = bufferBCG2K;
    }

    /** Takes room for {@code count} more tokens of each sequence and returns the new length. */
    int extend(int batch, int count, HeadLayout layout) {
      if (batch != cache.batch || !layout.equals(cache.layout)) {
        throw new IllegalArgumentException(
            "cache made for batch "
                + cache.batch
                + ", "
                + cache.layout
                + "; used with "
                + batch
                + ", "
                + layout);
      }
      if (count > cache.capacity - length) {
        throw new IllegalStateException(
            "key-value cache holds "
                + length
                + " of "
                + cache.capacity
                + " tokens: no room for "
                + count);
      }
      length += count;
      return length;
    }

    DeviceBuffer bufferBCG2K() {
      return buffer;
    }
  }
}
