package io.github.pretrain4j.checkpoint.distributed;

/**
 * Where an item lies.
 *
 * @param file name of the data file beside {@code .metadata}
 * @param byteOffset its first byte
 * @param byteCount its length
 */
record StoredItem(String file, long byteOffset, long byteCount) {
  long end() {
    return byteOffset + byteCount;
  }
}
