package io.github.pretrain4j.dataset;

import io.github.pretrain4j.dataset.storage.PendingFile;
import io.github.pretrain4j.dataset.storage.RandomAccessBytes;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.jspecify.annotations.Nullable;

/**
 * The element type of a dataset: what one token is in a {@code .bin} file, and the code that names
 * it in the {@code .idx} file. Elements are little-endian.
 *
 * <p>Only {@link #UINT16} and {@link #INT32} are written for text ({@link #forVocabularySize}); the
 * others are there because Megatron's format has them. Token ids are {@code int} everywhere in this
 * library: an element that is no {@code int} (a large {@code int64}, a fraction) is an error when
 * read as one, never a rounded value; it can be read as the {@code long} or {@code double} that it
 * is.
 */
public enum TokenType {
  /** Unsigned bytes. */
  UINT8(1, 1, 0, 255),
  /** Signed bytes. */
  INT8(2, 1, Byte.MIN_VALUE, Byte.MAX_VALUE),
  /** Signed 16-bit integers. */
  INT16(3, 2, Short.MIN_VALUE, Short.MAX_VALUE),
  /** Signed 32-bit integers: vocabularies of 65500 ids and more. */
  INT32(4, 4, Integer.MIN_VALUE, Integer.MAX_VALUE),
  /** Signed 64-bit integers. */
  INT64(5, 8, Integer.MIN_VALUE, Integer.MAX_VALUE),
  /** IEEE doubles holding integers. */
  FLOAT64(6, 8, Integer.MIN_VALUE, Integer.MAX_VALUE),
  /** IEEE floats holding integers; programs before Megatron Core wrote doubles under this code. */
  FLOAT32(7, 4, -(1 << 24), 1 << 24),
  /** Unsigned 16-bit integers: vocabularies below 65500 ids. */
  UINT16(8, 2, 0, 65535);

  /** The vocabulary size from which Megatron stores 32-bit ids. */
  private static final int FIRST_INT32_VOCABULARY_SIZE = 65500;

  private final int code;
  private final int bytes;
  private final int minimum;
  private final int maximum;

  TokenType(int code, int bytes, int minimum, int maximum) {
    this.code = code;
    this.bytes = bytes;
    this.minimum = minimum;
    this.maximum = maximum;
  }

  /** The number that stands for this type at byte 17 of an {@code .idx} file. */
  public int code() {
    return code;
  }

  /** Bytes of one element. */
  public int bytes() {
    return bytes;
  }

  /** The smallest id that this type can hold exactly (and an {@code int} too). */
  public int minimum() {
    return minimum;
  }

  /** The largest id that this type can hold exactly (and an {@code int} too). */
  public int maximum() {
    return maximum;
  }

  /**
   * The type that Megatron chooses for a tokenizer of this many ids: 16 bits below 65500, else 32.
   *
   * @param vocabularySize number of ids of the tokenizer, without padding
   */
  public static TokenType forVocabularySize(int vocabularySize) {
    if (vocabularySize < 1) {
      throw new IllegalArgumentException("vocabulary size must be positive: " + vocabularySize);
    }
    return vocabularySize < FIRST_INT32_VOCABULARY_SIZE ? UINT16 : INT32;
  }

  /** The type of this code, or null if there is none. */
  static @Nullable TokenType ofCode(int code) {
    for (TokenType type : values()) {
      if (type.code == code) {
        return type;
      }
    }
    return null;
  }

  /**
   * Checks that this type can hold all of these ids.
   *
   * @throws IllegalArgumentException for one that it cannot
   */
  public void requireFit(int[] ids, int offset, int length) {
    for (int i = offset; i < offset + length; i++) {
      int id = ids[i];
      if (id < minimum || id > maximum) {
        throw new IllegalArgumentException(
            "token id " + id + " does not fit " + this + " (" + minimum + " to " + maximum + ")");
      }
    }
  }

  /** Stores ids that {@link #requireFit} at {@code target}'s position. */
  public void encode(int[] ids, int offset, int length, ByteBuffer target) {
    ByteBuffer out = target.order(ByteOrder.LITTLE_ENDIAN);
    switch (this) {
      case UINT8, INT8 -> {
        for (int i = offset; i < offset + length; i++) {
          out.put((byte) ids[i]);
        }
      }
      case INT16, UINT16 -> {
        for (int i = offset; i < offset + length; i++) {
          out.putShort((short) ids[i]);
        }
      }
      case INT32 -> {
        out.asIntBuffer().put(ids, offset, length);
        out.position(out.position() + 4 * length);
      }
      case INT64 -> {
        for (int i = offset; i < offset + length; i++) {
          out.putLong(ids[i]);
        }
      }
      case FLOAT64 -> {
        for (int i = offset; i < offset + length; i++) {
          out.putDouble(ids[i]);
        }
      }
      case FLOAT32 -> {
        for (int i = offset; i < offset + length; i++) {
          out.putFloat(ids[i]);
        }
      }
    }
  }

  /**
   * Reads elements at {@code position} of a little-endian buffer into ids.
   *
   * @return the index (from 0) of the first element that is no {@code int}, or -1 if all were read
   */
  int decode(ByteBuffer source, int position, int[] ids, int offset, int length) {
    switch (this) {
      case UINT8 -> {
        for (int i = 0; i < length; i++) {
          ids[offset + i] = source.get(position + i) & 0xff;
        }
      }
      case INT8 -> {
        for (int i = 0; i < length; i++) {
          ids[offset + i] = source.get(position + i);
        }
      }
      case INT16 -> {
        for (int i = 0; i < length; i++) {
          ids[offset + i] = source.getShort(position + 2 * i);
        }
      }
      case UINT16 -> {
        for (int i = 0; i < length; i++) {
          ids[offset + i] = source.getShort(position + 2 * i) & 0xffff;
        }
      }
      case INT32 ->
          source
              .slice(position, 4 * length)
              .order(ByteOrder.LITTLE_ENDIAN)
              .asIntBuffer()
              .get(ids, offset, length);
      case INT64 -> {
        for (int i = 0; i < length; i++) {
          long value = source.getLong(position + 8 * i);
          if ((int) value != value) {
            return i;
          }
          ids[offset + i] = (int) value;
        }
      }
      case FLOAT64 -> {
        for (int i = 0; i < length; i++) {
          double value = source.getDouble(position + 8 * i);
          if ((int) value != value) {
            return i;
          }
          ids[offset + i] = (int) value;
        }
      }
      case FLOAT32 -> {
        for (int i = 0; i < length; i++) {
          double value = source.getFloat(position + 4 * i);
          if ((int) value != value) {
            return i;
          }
          ids[offset + i] = (int) value;
        }
      }
    }
    return -1;
  }

  /** The element at this place, if it is a {@code long}: see {@link #isLong}. */
  long getLong(ByteBuffer source, int position) {
    return switch (this) {
      case UINT8 -> source.get(position) & 0xff;
      case INT8 -> source.get(position);
      case INT16 -> source.getShort(position);
      case UINT16 -> source.getShort(position) & 0xffff;
      case INT32 -> source.getInt(position);
      case INT64 -> source.getLong(position);
      case FLOAT64 -> (long) source.getDouble(position);
      case FLOAT32 -> (long) source.getFloat(position);
    };
  }

  /** Whether the element at this place is a whole number between -2^63 and 2^63 - 1. */
  boolean isLong(ByteBuffer source, int position) {
    return switch (this) {
      case FLOAT64 -> isLong(source.getDouble(position));
      case FLOAT32 -> isLong(source.getFloat(position));
      case UINT8, INT8, INT16, UINT16, INT32, INT64 -> true;
    };
  }

  /** The element at this place, if a {@code double} can hold it: see {@link #isDouble}. */
  double getDouble(ByteBuffer source, int position) {
    return switch (this) {
      case FLOAT64 -> source.getDouble(position);
      case FLOAT32 -> source.getFloat(position);
      case UINT8, INT8, INT16, UINT16, INT32, INT64 -> (double) getLong(source, position);
    };
  }

  /** Whether a {@code double} holds the element at this place exactly; not so a large int64. */
  boolean isDouble(ByteBuffer source, int position) {
    return this != INT64 || isDouble(source.getLong(position));
  }

  private static boolean isLong(double value) {
    return (double) (long) value == value && value != 0x1p63;
  }

  private static boolean isDouble(long value) {
    return (long) (double) value == value && value != Long.MAX_VALUE;
  }

  /** Stores a value at {@code target}'s position, after checking that it can be read back. */
  void put(ByteBuffer target, long value) {
    boolean fits =
        switch (this) {
          case INT64 -> true;
          case FLOAT64 -> isDouble(value);
          case FLOAT32 -> isDouble(value) && (float) value == (double) value;
          case UINT8, INT8, INT16, UINT16, INT32 -> value >= minimum && value <= maximum;
        };
    if (!fits) {
      throw new IllegalArgumentException("element " + value + " does not fit " + this);
    }
    switch (this) {
      case UINT8, INT8 -> target.put((byte) value);
      case INT16, UINT16 -> target.putShort((short) value);
      case INT32 -> target.putInt((int) value);
      case INT64 -> target.putLong(value);
      case FLOAT64 -> target.putDouble((double) value);
      case FLOAT32 -> target.putFloat((float) value);
    }
  }

  /** Stores a value at {@code target}'s position, after checking that it can be read back. */
  void put(ByteBuffer target, double value) {
    if (this == FLOAT64) {
      target.putDouble(value);
    } else if (this == FLOAT32) {
      if (!Double.isNaN(value) && (double) (float) value != value) {
        throw new IllegalArgumentException("element " + value + " does not fit " + this);
      }
      target.putFloat((float) value);
    } else {
      if (!isLong(value)) {
        throw new IllegalArgumentException("element " + value + " does not fit " + this);
      }
      put(target, (long) value);
    }
  }

  /** Appends ids that {@link #requireFit} to a file. */
  public void append(int[] ids, int offset, int length, PendingFile file) throws IOException {
    int from = offset;
    int end = offset + length;
    while (from < end) {
      ByteBuffer buffer = file.reserve(bytes);
      int count = Math.min(end - from, buffer.remaining() / bytes);
      encode(ids, from, count, buffer);
      from += count;
    }
  }

  /**
   * Reads elements, which the caller knows to lie inside the file.
   *
   * @return byte offset of the first element that is no {@code int}, or -1 if all were read
   */
  public long decode(
      RandomAccessBytes file, long offset, int[] target, int targetOffset, int length)
      throws IOException {
    long position = offset;
    int done = 0;
    while (done < length) {
      // The last element of a chunk may reach into the overlap.
      long whole = (file.chunkEnd(position) - position + bytes - 1) / bytes;
      int count = (int) Math.min(length - done, whole);
      int bad =
          decode(file.chunk(position), file.inChunk(position), target, targetOffset + done, count);
      if (bad >= 0) {
        return position + (long) bad * bytes;
      }
      done += count;
      position += (long) count * bytes;
    }
    return -1;
  }

  /** As {@link #decode(RandomAccessBytes, long, int[], int, int)}, for {@code long}. */
  long decode(RandomAccessBytes file, long offset, long[] target, int targetOffset, int length)
      throws IOException {
    long position = offset;
    for (int done = 0; done < length; done++) {
      ByteBuffer chunk = file.chunk(position);
      int at = file.inChunk(position);
      if (!isLong(chunk, at)) {
        return position;
      }
      target[targetOffset + done] = getLong(chunk, at);
      position += bytes;
    }
    return -1;
  }

  /** As {@link #decode(RandomAccessBytes, long, int[], int, int)}, for {@code double}. */
  long decode(RandomAccessBytes file, long offset, double[] target, int targetOffset, int length)
      throws IOException {
    long position = offset;
    for (int done = 0; done < length; done++) {
      ByteBuffer chunk = file.chunk(position);
      int at = file.inChunk(position);
      if (!isDouble(chunk, at)) {
        return position;
      }
      target[targetOffset + done] = getDouble(chunk, at);
      position += bytes;
    }
    return -1;
  }
}
