package io.github.pretrain4j.inspect;

import io.github.pretrain4j.checkpoint.DataType;
import io.github.pretrain4j.checkpoint.NumericConversion;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** The values of elements, whatever their type, as doubles. */
final class ElementValues {
  private ElementValues() {}

  /** Numbers per element: 2 of a complex one. */
  static int perElement(DataType type) {
    return type == DataType.C64 || type == DataType.C128 ? 2 : 1;
  }

  /**
   * Decodes little-endian elements from the start of {@code data} up to its limit; its position
   * stays. 64-bit integers may lose their last bits.
   *
   * @param values receives {@link #perElement} numbers for each
   * @return how many numbers
   */
  static int decode(DataType type, ByteBuffer data, double[] values) {
    ByteBuffer in = data.duplicate().order(ByteOrder.LITTLE_ENDIAN).rewind();
    int n = in.remaining() / type.bytes() * perElement(type);
    switch (type) {
      case F64, C128 -> {
        for (int i = 0; i < n; i++) {
          values[i] = in.getDouble(i * Double.BYTES);
        }
      }
      case F32, C64 -> {
        for (int i = 0; i < n; i++) {
          values[i] = in.getFloat(i * Float.BYTES);
        }
      }
      case BF16 -> {
        for (int i = 0; i < n; i++) {
          values[i] = Float.intBitsToFloat(in.getShort(i * Short.BYTES) << 16);
        }
      }
      case F16, F8_E4M3, F8_E5M2 -> {
        ByteBuffer floats = ByteBuffer.allocate(n * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
        NumericConversion.convert(type, in, DataType.F32, floats);
        for (int i = 0; i < n; i++) {
          values[i] = floats.getFloat(i * Float.BYTES);
        }
      }
      case I64, U64 -> {
        for (int i = 0; i < n; i++) {
          long value = in.getLong(i * Long.BYTES);
          values[i] = value >= 0 || type == DataType.I64 ? value : (value >>> 1) * 2.0;
        }
      }
      case I32 -> {
        for (int i = 0; i < n; i++) {
          values[i] = in.getInt(i * Integer.BYTES);
        }
      }
      case U32 -> {
        for (int i = 0; i < n; i++) {
          values[i] = Integer.toUnsignedLong(in.getInt(i * Integer.BYTES));
        }
      }
      case I16 -> {
        for (int i = 0; i < n; i++) {
          values[i] = in.getShort(i * Short.BYTES);
        }
      }
      case U16 -> {
        for (int i = 0; i < n; i++) {
          values[i] = Short.toUnsignedInt(in.getShort(i * Short.BYTES));
        }
      }
      case I8 -> {
        for (int i = 0; i < n; i++) {
          values[i] = in.get(i);
        }
      }
      case U8, BOOL -> {
        for (int i = 0; i < n; i++) {
          values[i] = Byte.toUnsignedInt(in.get(i));
        }
      }
    }
    return n;
  }
}
