package io.github.pretrain4j.tokenizer.sentencepiece;

import io.github.pretrain4j.tokenizer.CorruptTokenizerException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;

/**
 * A cursor over one protobuf message inside a file. Every length is checked against the message
 * before it is used. Groups (wire types 3 and 4) are refused: no SentencePiece model has them.
 *
 * <pre>
 * while (in.next()) {
 *   switch (in.field()) { case 1: x = in.bool("x"); break; ... default: unknown.write(in.skip()); }
 * }
 * </pre>
 */
final class ProtobufReader {
  static final int VARINT = 0;
  static final int FIXED64 = 1;
  static final int LENGTH = 2;
  static final int FIXED32 = 5;

  private final byte[] bytes;
  private final Path file;
  private final int end;
  private int position;
  private int fieldStart;
  private int field;
  private int wireType;

  ProtobufReader(byte[] bytes, Path file) {
    this(bytes, file, 0, bytes.length);
  }

  private ProtobufReader(byte[] bytes, Path file, int start, int end) {
    this.bytes = bytes;
    this.file = file;
    this.position = start;
    this.end = end;
  }

  /** Reads the next tag; false at the end of the message. */
  boolean next() throws CorruptTokenizerException {
    if (position == end) {
      return false;
    }
    fieldStart = position;
    long tag = readVarint("tag");
    wireType = (int) (tag & 7);
    long number = tag >>> 3;
    if (number == 0 || number > (1 << 29) - 1) {
      throw corrupt(fieldStart, "field number", "1 to 536870911", number);
    }
    field = (int) number;
    return true;
  }

  int field() {
    return field;
  }

  /** Where the current field's tag begins in the file. */
  int fieldOffset() {
    return fieldStart;
  }

  long varint(String what) throws CorruptTokenizerException {
    expectWireType(VARINT, what);
    return readVarint(what);
  }

  /** A varint that must be an {@code int32}: negative numbers take ten bytes. */
  int int32(String what) throws CorruptTokenizerException {
    int at = position;
    long value = varint(what);
    if (value != (int) value) {
      throw corrupt(at, what, "a 32-bit integer", value);
    }
    return (int) value;
  }

  boolean bool(String what) throws CorruptTokenizerException {
    int at = position;
    long value = varint(what);
    if (value != 0 && value != 1) {
      throw corrupt(at, what, "0 or 1", value);
    }
    return value == 1;
  }

  float float32(String what) throws CorruptTokenizerException {
    expectWireType(FIXED32, what);
    require(4, what);
    float value = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).getFloat(position);
    position += 4;
    return value;
  }

  byte[] bytes(String what) throws CorruptTokenizerException {
    int length = length(what);
    byte[] value = Arrays.copyOfRange(bytes, position, position + length);
    position += length;
    return value;
  }

  String string(String what) throws CorruptTokenizerException {
    int length = length(what);
    int at = position;
    position += length;
    for (int i = at; i < position; ) {
      int sequence = Utf8.sequenceLength(bytes, i, position);
      if (sequence <= 0) {
        throw corrupt(i, what, "UTF-8", "malformed bytes");
      }
      i += sequence;
    }
    return new String(bytes, at, length, StandardCharsets.UTF_8);
  }

  ProtobufReader message(String what) throws CorruptTokenizerException {
    int length = length(what);
    ProtobufReader inner = new ProtobufReader(bytes, file, position, position + length);
    position += length;
    return inner;
  }

  /** Steps over the current field and returns all of it, tag included. */
  byte[] skip() throws CorruptTokenizerException {
    String what = "field " + field;
    if (wireType == VARINT) {
      readVarint(what);
    } else if (wireType == LENGTH) {
      int length = length(what); // moves the position itself
      position += length;
    } else if (wireType == FIXED32 || wireType == FIXED64) {
      int width = wireType == FIXED32 ? 4 : 8;
      require(width, what);
      position += width;
    } else {
      throw corrupt(fieldStart, "wire type of " + what, "0, 1, 2 or 5", wireType);
    }
    return Arrays.copyOfRange(bytes, fieldStart, position);
  }

  CorruptTokenizerException corrupt(long offset, String what, Object expected, Object found) {
    return new CorruptTokenizerException(file, offset, what, expected, found);
  }

  private int length(String what) throws CorruptTokenizerException {
    expectWireType(LENGTH, what);
    int at = position;
    long length = readVarint("length of " + what);
    if (length < 0 || length > end - position) {
      throw corrupt(
          at, "length of " + what, "at most " + (end - position), Long.toUnsignedString(length));
    }
    return (int) length;
  }

  private long readVarint(String what) throws CorruptTokenizerException {
    int at = position;
    long value = 0;
    for (int shift = 0; shift < 70; shift += 7) {
      require(1, what);
      byte next = bytes[position++];
      value |= (long) (next & 0x7F) << shift;
      if (next >= 0) {
        return value;
      }
    }
    throw corrupt(at, what, "a varint of at most 10 bytes", "a longer one");
  }

  private void expectWireType(int expected, String what) throws CorruptTokenizerException {
    if (wireType != expected) {
      throw corrupt(fieldStart, "wire type of " + what, expected, wireType);
    }
  }

  private void require(int count, String what) throws CorruptTokenizerException {
    if (end - position < count) {
      throw corrupt(position, what, count + " bytes", (end - position) + " left");
    }
  }
}
