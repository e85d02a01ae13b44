package io.github.pretrain4j.checkpoint;

/**
 * A flat run of bytes in a torch file that one or more tensors look into.
 *
 * @param key identifies the storage: two references with equal storages share memory (tied
 *     weights). A file that is read has the keys "0", "1", …; a writer takes any distinct keys,
 *     such as tensor names, and numbers them itself.
 */
public record TensorStorage(String key, long byteCount) {

  /** Validates the size. */
  public TensorStorage {
    if (byteCount < 0) {
      throw new IllegalArgumentException("storage " + key + ": negative size " + byteCount);
    }
  }
}
