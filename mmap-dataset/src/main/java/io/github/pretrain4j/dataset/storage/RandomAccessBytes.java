package io.github.pretrain4j.dataset.storage;

import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * Bytes of known number, reached in any order through little-endian chunks: a mapped file ({@link
 * MappedFile}) or an object read by blocks ({@link BlockCache}).
 *
 * <p>Chunks are stretches that follow each other from byte 0 on. A value of 1, 2, 4 or 8 bytes at a
 * multiple of its size lies in one chunk. Thread-safe.
 */
public interface RandomAccessBytes {
  /** What the bytes are called in errors: a path, or an object's address. */
  String location();

  /** Their number when they were opened. */
  long size();

  /**
   * The little-endian chunk that holds this offset, at index {@link #inChunk}; not to be written
   * to, and its position and limit not to be changed.
   */
  ByteBuffer chunk(long offset) throws IOException;

  /** Where in its chunk an offset is. */
  int inChunk(long offset);

  /** The offset behind the chunk that holds this offset. */
  long chunkEnd(long offset);
}
