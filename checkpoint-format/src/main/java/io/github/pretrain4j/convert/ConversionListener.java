package io.github.pretrain4j.convert;

/** Told how far a conversion has come; by one thread at a time, not always the same. */
@FunctionalInterface
public interface ConversionListener {
  /** One that does not care. */
  ConversionListener NONE = (phase, doneBytes, totalBytes) -> {};

  /** The steps of a conversion, in order. */
  enum Phase {
    /** Writing the other form. */
    WRITE,
    /** Reading it back and comparing it with the source. */
    VERIFY
  }

  /**
   * Called every few megabytes, and at the end of each phase with {@code doneBytes == totalBytes}.
   */
  void progress(Phase phase, long doneBytes, long totalBytes);
}
