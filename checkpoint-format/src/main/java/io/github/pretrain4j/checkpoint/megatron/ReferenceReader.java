package io.github.pretrain4j.checkpoint.megatron;

import io.github.pretrain4j.checkpoint.TensorReference;
import java.io.IOException;
import java.nio.ByteBuffer;

/** Reads tensors of one rank, from whichever of its files they are in. */
@FunctionalInterface
interface ReferenceReader {
  /** Reads packed bytes from {@code byteOffset} on, as many as fit. */
  void read(TensorReference tensor, long byteOffset, ByteBuffer target) throws IOException;
}
