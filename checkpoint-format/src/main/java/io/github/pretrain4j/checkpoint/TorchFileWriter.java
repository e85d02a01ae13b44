package io.github.pretrain4j.checkpoint;

import java.io.IOException;
import java.nio.file.Path;

/**
 * Writes files that {@code torch.load} reads, also with {@code weights_only=True} and {@code
 * mmap=True}. Layout: see the package.
 */
public final class TorchFileWriter {
  private TorchFileWriter() {}

  /**
   * Writes a file: beside its place, flushed, then renamed.
   *
   * @param root the object tree; references with equal storages share memory after loading
   * @param content is asked once per storage, by this thread, in order of first appearance, for all
   *     of it: the name is the storage's key, type and shape are those of the reference if it fills
   *     the storage, else the shape is flat
   * @throws IllegalArgumentException if the tree cannot be expressed: too deep, or unequal views of
   *     one storage
   */
  public static void write(Path file, PickleObject root, TensorContent content) throws IOException {
    PlannedFiles.write(file, TorchFile.plan(PlannedFiles.name(file), root, content));
  }
}
