package io.github.pretrain4j.tokenizer.sentencepiece;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;

/** Builds one protobuf message. Fields appear in the order of the calls. */
final class ProtobufWriter {
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();

  ProtobufWriter int32(int field, int value) {
    tag(field, ProtobufReader.VARINT);
    varint(value);
    return this;
  }

  ProtobufWriter bool(int field, boolean value) {
    return int32(field, value ? 1 : 0);
  }

  ProtobufWriter float32(int field, float value) {
    tag(field, ProtobufReader.FIXED32);
    int bits = Float.floatToRawIntBits(value);
    for (int shift = 0; shift < 32; shift += 8) {
      out.write(bits >>> shift);
    }
    return this;
  }

  ProtobufWriter string(int field, String value) {
    return bytes(field, value.getBytes(StandardCharsets.UTF_8));
  }

  ProtobufWriter bytes(int field, byte[] value) {
    tag(field, ProtobufReader.LENGTH);
    varint(value.length);
    return raw(value);
  }

  ProtobufWriter message(int field, ProtobufWriter value) {
    return bytes(field, value.toByteArray());
  }

  /** Appends whole fields that are encoded already. */
  ProtobufWriter raw(byte[] fields) {
    out.write(fields, 0, fields.length);
    return this;
  }

  byte[] toByteArray() {
    return out.toByteArray();
  }

  private void tag(int field, int wireType) {
    varint((long) field << 3 | wireType);
  }

  private void varint(long value) {
    long rest = value;
    while ((rest & ~0x7FL) != 0) {
      out.write((int) ((rest & 0x7F) | 0x80));
      rest >>>= 7;
    }
    out.write((int) rest);
  }
}
