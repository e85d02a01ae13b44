package io.github.pretrain4j.dataset.preprocess;

import io.github.pretrain4j.dataset.TokenType;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Objects;

/**
 * Where a {@link TokenEncoder}'s ids go: straight into the bytes of a {@code .bin} file. An id that
 * the token type cannot hold is kept in mind, not stored, and reported by whoever owns the sink.
 * Not thread-safe.
 */
public final class TokenSink {
  private static final VarHandle SHORTS =
      MethodHandles.byteArrayViewVarHandle(short[].class, ByteOrder.LITTLE_ENDIAN);
  private static final VarHandle INTS =
      MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);

  private static final int FIRST_BYTES = 1 << 16;
  private static final int MAX_BYTES = Integer.MAX_VALUE - 8;

  private final TokenType type;
  private byte[] bytes = {};
  private int byteCount;
  private boolean hasUnfit;
  private int unfit;

  /** An empty sink for elements of this type. */
  public TokenSink(TokenType type) {
    this.type = type;
  }

  /** Appends an id. */
  public void add(int id) {
    if (id < type.minimum() || id > type.maximum()) {
      noteUnfit(id);
      return;
    }
    reserve(type.bytes());
    put(id);
  }

  /** Appends some ids of an array. */
  public void add(int[] ids, int offset, int length) {
    Objects.checkFromIndexSize(offset, length, ids.length);
    reserve((long) length * type.bytes());
    if (type == TokenType.UINT16) {
      addShorts(ids, offset, length);
      return;
    }
    for (int i = offset; i < offset + length; i++) {
      if (ids[i] < type.minimum() || ids[i] > type.maximum()) {
        noteUnfit(ids[i]);
        return;
      }
      put(ids[i]);
    }
  }

  private void addShorts(int[] ids, int offset, int length) {
    byte[] to = bytes;
    int at = byteCount;
    int all = 0;
    for (int i = offset; i < offset + length; i++) {
      all |= ids[i];
      SHORTS.set(to, at, (short) ids[i]);
      at += Short.BYTES;
    }
    if (all >>> Short.SIZE != 0) {
      for (int i = offset; i < offset + length; i++) {
        if (ids[i] >>> Short.SIZE != 0) {
          noteUnfit(ids[i]);
          return;
        }
      }
    }
    byteCount = at;
  }

  private void put(int id) {
    switch (type) {
      case UINT16 -> SHORTS.set(bytes, byteCount, (short) id);
      case INT32 -> INTS.set(bytes, byteCount, id);
      case UINT8, INT8, INT16, INT64, FLOAT64, FLOAT32 ->
          type.encode(
              new int[] {id}, 0, 1, ByteBuffer.wrap(bytes, byteCount, bytes.length - byteCount));
    }
    byteCount += type.bytes();
  }

  private void noteUnfit(int id) {
    if (!hasUnfit) {
      hasUnfit = true;
      unfit = id;
    }
  }

  private void reserve(long more) {
    long needed = byteCount + more;
    if (needed > bytes.length) {
      if (needed > MAX_BYTES) {
        throw new IllegalArgumentException("more than 2^31 bytes of ids in one block of lines");
      }
      long wanted = Math.max(Math.max(needed, FIRST_BYTES), bytes.length + (bytes.length >> 1));
      bytes = Arrays.copyOf(bytes, (int) Math.min(wanted, MAX_BYTES));
    }
  }

  /** Number of ids. */
  public int tokenCount() {
    return byteCount / type.bytes();
  }

  /**
   * Checks that every id did fit.
   *
   * @throws IllegalArgumentException for one that the token type cannot hold
   */
  public void requireFit() {
    if (hasUnfit) {
      type.requireFit(new int[] {unfit}, 0, 1);
    }
  }

  /** The array behind the sink, valid until the next id is added. */
  byte[] bytes() {
    return bytes;
  }

  /** Bytes of the ids. */
  int byteCount() {
    return byteCount;
  }

  /** Forgets what was added after there were this many bytes. */
  void truncate(int toByteCount) {
    byteCount = toByteCount;
  }

  /** Forgets all ids, and the memory too if it is more than this. */
  void clear(int maxKeptBytes) {
    byteCount = 0;
    hasUnfit = false;
    if (bytes.length > maxKeptBytes) {
      bytes = new byte[0];
    }
  }
}
