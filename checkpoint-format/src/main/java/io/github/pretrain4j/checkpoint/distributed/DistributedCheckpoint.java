package io.github.pretrain4j.checkpoint.distributed;

import io.github.pretrain4j.checkpoint.TensorSource;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/**
 * A directory with {@code .metadata} and {@code .distcp} files, read by key. Thread-safe; {@link
 * #close} is idempotent.
 */
public final class DistributedCheckpoint implements AutoCloseable {
  private DistributedCheckpoint() {}

  /**
   * Opens a checkpoint. Reads {@code .metadata} only; items are opened when they are asked for.
   *
   * @throws io.github.pretrain4j.checkpoint.CorruptCheckpointException if it is damaged, chunks do
   *     not tile their tensors, or items do not lie inside their files
   */
  public static DistributedCheckpoint open(Path directory) throws IOException {
    throw new UnsupportedOperationException();
  }

  /** All tensors whole, by key, in the order of the metadata. Closing it does nothing. */
  public TensorSource tensors() {
    throw new UnsupportedOperationException();
  }

  /** The chunks of a tensor. */
  public List<Chunk> chunks(String key) {
    throw new UnsupportedOperationException();
  }

  /** The keys of the byte items, in the order of the metadata. */
  public List<String> objectKeys() {
    throw new UnsupportedOperationException();
  }

  @Override
  public void close() throws IOException {}
}
