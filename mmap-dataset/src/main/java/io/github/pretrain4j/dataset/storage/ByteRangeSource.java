package io.github.pretrain4j.dataset.storage;

import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;

/** Bytes that are read by ranges, wherever they are: the seam for object stores. Thread-safe. */
public interface ByteRangeSource extends Closeable {
  /** What the bytes are called in errors: an address or a path. */
  String location();

  /** Their number when the source was opened. */
  long size();

  /** Differs whenever the bytes under this location differ: an ETag, for instance. */
  String version();

  /**
   * Reads the bytes from this offset on until the buffer is full.
   *
   * @throws ObjectStorageException if they cannot be had, or are no longer those of {@link
   *     #version}
   * @throws IllegalArgumentException if the range is not inside {@link #size}
   * @throws IllegalStateException after {@link #close}
   */
  void read(long byteOffset, ByteBuffer target) throws IOException;

  /** Ends reading. Idempotent. */
  @Override
  void close();
}
