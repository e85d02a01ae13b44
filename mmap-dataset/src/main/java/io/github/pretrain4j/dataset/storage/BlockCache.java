package io.github.pretrain4j.dataset.storage;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import org.jspecify.annotations.Nullable;

/**
 * A byte-range source read by blocks, of which the last used are kept. A block that several threads
 * want is fetched once, by the first of them, while others fetch other blocks. Thread-safe.
 */
public final class BlockCache implements RandomAccessBytes {
  /** A power of two that keeps values whole, and what an array can hold. */
  private static final int MIN_BLOCK_BYTES = 8;

  private static final int MAX_BLOCK_BYTES = 1 << 30;

  private final ByteRangeSource source;
  private final int blockShift;
  private final Map<Long, FutureTask<ByteBuffer>> blocks;
  private volatile @Nullable Block latest;

  private record Block(long number, ByteBuffer bytes) {}

  /**
   * Keeps blocks of a source.
   *
   * @param source where the bytes are; the caller closes it
   * @param blockBytes bytes of a block, a power of two from 8 to 2^30
   * @param blockCount how many are kept, at least one
   */
  public BlockCache(ByteRangeSource source, int blockBytes, int blockCount) {
    if (Integer.bitCount(blockBytes) != 1
        || blockBytes < MIN_BLOCK_BYTES
        || blockBytes > MAX_BLOCK_BYTES) {
      throw new IllegalArgumentException(
          "a block must be a power of two from 8 to 2^30 bytes: " + blockBytes);
    }
    if (blockCount < 1) {
      throw new IllegalArgumentException("at least one block must be kept: " + blockCount);
    }
    this.source = source;
    this.blockShift = Integer.numberOfTrailingZeros(blockBytes);
    this.blocks =
        new LinkedHashMap<>(16, 0.75f, true) {
          private static final long serialVersionUID = 1L;

          @Override
          protected boolean removeEldestEntry(Map.Entry<Long, FutureTask<ByteBuffer>> eldest) {
            return size() > blockCount;
          }
        };
  }

  @Override
  public String location() {
    return source.location();
  }

  @Override
  public long size() {
    return source.size();
  }

  @Override
  public ByteBuffer chunk(long offset) throws IOException {
    Objects.checkIndex(offset, size());
    long number = offset >> blockShift;
    Block last = latest;
    if (last != null && last.number() == number) {
      return last.bytes();
    }
    while (true) {
      FutureTask<ByteBuffer> mine = new FutureTask<>(() -> fetch(number));
      FutureTask<ByteBuffer> task;
      synchronized (blocks) {
        FutureTask<ByteBuffer> other = blocks.putIfAbsent(number, mine);
        task = other == null ? mine : other;
      }
      if (task == mine) {
        mine.run();
      }
      try {
        ByteBuffer bytes = task.get();
        latest = new Block(number, bytes);
        return bytes;
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        InterruptedIOException interrupted =
            new InterruptedIOException(location() + ": interrupted while waiting for a block");
        interrupted.initCause(e);
        throw interrupted;
      } catch (ExecutionException e) {
        synchronized (blocks) {
          blocks.remove(number, task); // the next one tries again
        }
        if (task == mine || !(e.getCause() instanceof InterruptedIOException)) {
          throw failure(e.getCause());
        }
      }
    }
  }

  private static IOException failure(@Nullable Throwable cause) throws IOException {
    if (cause instanceof IOException world) {
      throw world;
    }
    if (cause instanceof RuntimeException mistake) {
      throw mistake;
    }
    if (cause instanceof Error error) {
      throw error;
    }
    throw new IOException(cause);
  }

  private ByteBuffer fetch(long number) throws IOException {
    long start = number << blockShift;
    int length = (int) Math.min(1L << blockShift, size() - start);
    ByteBuffer block = ByteBuffer.allocate(length).order(ByteOrder.LITTLE_ENDIAN);
    source.read(start, block);
    return block.flip();
  }

  @Override
  public int inChunk(long offset) {
    return (int) (offset & ((1L << blockShift) - 1));
  }

  @Override
  public long chunkEnd(long offset) {
    return Math.min(((offset >> blockShift) + 1) << blockShift, size());
  }
}
