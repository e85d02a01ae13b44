package io.github.pretrain4j.checkpoint;

import java.io.IOException;
import java.nio.ByteBuffer;

/** Takes bytes for places in a file, in any order. */
@FunctionalInterface
public interface PositionalSink {

  /** Puts all of {@code source} at {@code byteOffset}. */
  void write(long byteOffset, ByteBuffer source) throws IOException;
}
