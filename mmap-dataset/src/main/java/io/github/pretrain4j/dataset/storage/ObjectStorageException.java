package io.github.pretrain4j.dataset.storage;

import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** Bytes of an object could not be had: which object, which byte, and why. */
public final class ObjectStorageException extends IOException {
  private static final long serialVersionUID = 1L;

  /** Why. */
  public enum Kind {
    /** There is no such object. */
    NOT_FOUND,
    /** The store refuses these credentials, or wants some. */
    ACCESS_DENIED,
    /** The object is no longer the one that was opened. */
    CHANGED,
    /** The store says that the object has no such bytes. */
    RANGE_NOT_SATISFIABLE,
    /** The answer is not what was asked for. */
    MALFORMED_RESPONSE,
    /** The store did not answer, or with an error of its own, as often as it was asked. */
    UNAVAILABLE
  }

  private final Kind kind;
  private final String location;
  private final long byteOffset;

  /**
   * Describes one failure.
   *
   * @param kind why
   * @param location the object
   * @param byteOffset the first byte wanted
   * @param detail what was expected and found
   * @param cause what failed below, if anything did
   */
  public ObjectStorageException(
      Kind kind, String location, long byteOffset, String detail, @Nullable Throwable cause) {
    super(location + ": at byte " + byteOffset + ": " + detail, cause);
    this.kind = kind;
    this.location = location;
    this.byteOffset = byteOffset;
  }

  /** Why. */
  public Kind kind() {
    return kind;
  }

  /** The object. */
  public String location() {
    return location;
  }

  /** The first byte wanted. */
  public long byteOffset() {
    return byteOffset;
  }
}
