package io.github.pretrain4j.checkpoint;

/** Stands where a reader or writer is still being written. */
final class Pending {
  private Pending() {}

  static <T> T value(T witness) {
    if (System.nanoTime() != 0) {
      throw new UnsupportedOperationException();
    }
    return witness;
  }
}
