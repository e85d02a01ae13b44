package io.github.pretrain4j.convert;

/** Told how far a conversion has come; on the thread that runs it. */
@FunctionalInterface
public interface ConversionListener {
  /** One that does not care. */
  ConversionListener NONE = (phase, doneBytes, totalBytes) -> {};

  /** The steps of a conversion, in order. */
  enum Phase {
    /** Hashing what is there. */
    READ,
    /** Writing the other form. */
    WRITE,
    /** Reading it back and comparing. */
    VERIFY
  }

  /**
   * Called every few megabytes, and at the end of each phase with {@code doneBytes == totalBytes}.
   */
  void progress(Phase phase, long doneBytes, long totalBytes);
}
