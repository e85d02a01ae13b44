package io.github.pretrain4j.dataset;

import java.nio.file.Path;

/**
 * How a dataset in an object store is read. Its index is fetched whole, once for each version of
 * the object, into a directory that several processes may share; its data comes in blocks.
 *
 * @param cacheDirectory where indexes are kept; made if it does not exist, never cleared
 * @param blockBytes bytes of a block, a power of two from 8 to 2^30
 * @param blockCount blocks of a dataset kept in memory
 */
public record RemoteReading(Path cacheDirectory, int blockBytes, int blockCount) {
  private static final int DEFAULT_BLOCK_BYTES = 1 << 24;
  private static final int DEFAULT_BLOCK_COUNT = 8;

  /** Eight blocks of 16 MiB. */
  public static RemoteReading defaults(Path cacheDirectory) {
    return new RemoteReading(cacheDirectory, DEFAULT_BLOCK_BYTES, DEFAULT_BLOCK_COUNT);
  }

  /** These, with other blocks. */
  public RemoteReading withBlocks(int bytes, int count) {
    return new RemoteReading(cacheDirectory, bytes, count);
  }
}
