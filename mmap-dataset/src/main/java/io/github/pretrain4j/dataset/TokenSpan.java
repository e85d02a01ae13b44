package io.github.pretrain4j.dataset;

import io.github.pretrain4j.dataset.storage.RandomAccessBytes;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/**
 * Tokens that follow each other in a dataset, a sequence, a document or several: a view, nothing is
 * copied until it is asked for.
 *
 * <p>Thread-safe. A view of a local dataset stays valid when the dataset is closed, and keeps its
 * mapping alive; one of an object store fails then.
 */
public final class TokenSpan {
  private final TokenType type;
  private final RandomAccessBytes data;
  private final long byteOffset;
  private final long length;

  TokenSpan(TokenType type, RandomAccessBytes data, long byteOffset, long length) {
    this.type = type;
    this.data = data;
    this.byteOffset = byteOffset;
    this.length = length;
  }

  /** What one token is in the data file. */
  public TokenType tokenType() {
    return type;
  }

  /** Number of tokens. */
  public long length() {
    return length;
  }

  /** Where in the data file the first token is. */
  public long byteOffset() {
    return byteOffset;
  }

  /**
   * One token.
   *
   * @throws CorruptDatasetException if it is no {@code int}
   */
  public int get(long token) throws IOException {
    long value = getLong(token);
    if ((int) value != value) {
      throw unlike(byteOffset + token * type.bytes(), "a 32-bit integer");
    }
    return (int) value;
  }

  /**
   * One element.
   *
   * @throws CorruptDatasetException if it is no {@code long}
   */
  public long getLong(long token) throws IOException {
    Objects.checkIndex(token, length);
    long at = byteOffset + token * type.bytes();
    ByteBuffer chunk = data.chunk(at);
    if (!type.isLong(chunk, data.inChunk(at))) {
      throw unlike(at, "a 64-bit integer");
    }
    return type.getLong(chunk, data.inChunk(at));
  }

  /**
   * One element.
   *
   * @throws CorruptDatasetException if no {@code double} holds it exactly
   */
  public double getDouble(long token) throws IOException {
    Objects.checkIndex(token, length);
    long at = byteOffset + token * type.bytes();
    ByteBuffer chunk = data.chunk(at);
    if (!type.isDouble(chunk, data.inChunk(at))) {
      throw unlike(at, "what a double holds exactly");
    }
    return type.getDouble(chunk, data.inChunk(at));
  }

  /**
   * Copies tokens, in one pass.
   *
   * @param from first token wanted, within the span
   * @param target where they go, from index {@code targetOffset} on
   * @throws CorruptDatasetException if one is no {@code int}
   */
  public void copyTo(long from, int[] target, int targetOffset, int count) throws IOException {
    Objects.checkFromIndexSize(from, count, length);
    Objects.checkFromIndexSize(targetOffset, count, target.length);
    long bad = type.decode(data, byteOffset + from * type.bytes(), target, targetOffset, count);
    if (bad >= 0) {
      throw unlike(bad, "a 32-bit integer");
    }
  }

  /** As {@link #copyTo(long, int[], int, int)}, for {@code long}. */
  public void copyTo(long from, long[] target, int targetOffset, int count) throws IOException {
    Objects.checkFromIndexSize(from, count, length);
    Objects.checkFromIndexSize(targetOffset, count, target.length);
    long bad = type.decode(data, byteOffset + from * type.bytes(), target, targetOffset, count);
    if (bad >= 0) {
      throw unlike(bad, "a 64-bit integer");
    }
  }

  /** As {@link #copyTo(long, int[], int, int)}, for {@code double}. */
  public void copyTo(long from, double[] target, int targetOffset, int count) throws IOException {
    Objects.checkFromIndexSize(from, count, length);
    Objects.checkFromIndexSize(targetOffset, count, target.length);
    long bad = type.decode(data, byteOffset + from * type.bytes(), target, targetOffset, count);
    if (bad >= 0) {
      throw unlike(bad, "what a double holds exactly");
    }
  }

  /**
   * All tokens.
   *
   * @throws ArithmeticException if they are more than an array holds
   */
  public int[] toArray() throws IOException {
    int[] tokens = new int[Math.toIntExact(length)];
    copyTo(0, tokens, 0, tokens.length);
    return tokens;
  }

  /** A part of this span. */
  public TokenSpan slice(long from, long count) {
    Objects.checkFromIndexSize(from, count, length);
    return new TokenSpan(type, data, byteOffset + from * type.bytes(), count);
  }

  /**
   * The bytes themselves, read-only and little-endian, in as few pieces as the mapping has: one,
   * unless the span crosses a border of 1 GiB. Each piece holds whole elements.
   */
  public List<ByteBuffer> buffers() throws IOException {
    List<ByteBuffer> pieces = new ArrayList<>();
    long at = byteOffset;
    long end = byteOffset + length * type.bytes();
    while (at < end) {
      int count = (int) (Math.min(end, data.chunkEnd(at)) - at);
      ByteBuffer chunk = data.chunk(at);
      pieces.add(
          chunk.slice(data.inChunk(at), count).asReadOnlyBuffer().order(ByteOrder.LITTLE_ENDIAN));
      at += count;
    }
    return List.copyOf(pieces);
  }

  private CorruptDatasetException unlike(long at, String expected) {
    return CorruptDatasetException.in(data, at, "token", expected, "another " + type);
  }
}
