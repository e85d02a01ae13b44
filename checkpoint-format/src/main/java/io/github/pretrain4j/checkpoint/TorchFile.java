package io.github.pretrain4j.checkpoint;

/** Plans torch archives. Layout: see the package. */
public final class TorchFile {
  private TorchFile() {}

  /**
   * Plans an archive with one slot for each storage, in order of first appearance.
   *
   * @param path its last part without extension names the folder inside; PyTorch calls it {@code
   *     archive} where there is no file name
   * @param root the object tree; references with equal storages share memory after loading
   * @param content supplies whole storages: the name is the storage's key, type and shape are those
   *     of the reference if it fills the storage, else the shape is flat
   * @throws IllegalArgumentException if the tree cannot be expressed: too deep, or unequal views of
   *     one storage
   */
  public static PlannedFile plan(String path, PickleObject root, TensorContent content) {
    throw new UnsupportedOperationException();
  }

  /**
   * The bare protocol 2 pickle of a tree, without an archive around it.
   *
   * @throws IllegalArgumentException if the tree holds a tensor or is too deep
   */
  public static byte[] pickle(PickleObject root) {
    PickleWriter writer = new PickleWriter();
    byte[] pickle = writer.write(root);
    if (!writer.storages().isEmpty()) {
      throw new IllegalArgumentException(
          "a bare pickle has no place for the data of " + writer.storages().get(0));
    }
    return pickle;
  }
}
