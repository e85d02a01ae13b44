package io.github.pretrain4j.checkpoint;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * Converts tensor elements from one floating-point type to another with PyTorch's rounding:
 * nearest, ties to even, overflow to infinity. Elements are widened to fp32 and narrowed from
 * there, as PyTorch does on the CPU, so float64 to a 16-bit type rounds twice.
 *
 * <p>The same type on both sides is a copy of the bytes. A NaN that is narrowed loses its payload:
 * 0x7FC0 in bf16, 0x7E00 with the sign in fp16.
 */
public final class NumericConversion {
  private static final int BLOCK = 4096;
  private static final int INFINITY = 0x7F80_0000;

  private NumericConversion() {}

  /**
   * Converts all of {@code source} into {@code target}; both are little-endian whatever their order
   * says, and both positions advance.
   *
   * @return how many finite elements became infinite
   * @throws IllegalArgumentException if the pair of types is not supported, {@code source} ends
   *     inside an element, or {@code target} is too small
   */
  public static long convert(DataType from, ByteBuffer source, DataType to, ByteBuffer target) {
    if (source.remaining() % from.bytes() != 0) {
      throw new IllegalArgumentException(
          source.remaining() + " bytes are not whole elements of " + from);
    }
    int count = source.remaining() / from.bytes();
    if ((long) count * to.bytes() > target.remaining()) {
      throw new IllegalArgumentException(
          count + " elements of " + to + " do not fit " + target.remaining() + " bytes");
    }
    if (from == to) {
      target.put(source);
      return 0;
    }
    if (!supported(from, to)) {
      throw new IllegalArgumentException("no conversion from " + from + " to " + to);
    }
    if (from == DataType.F64 || to == DataType.F64) {
      return convertDouble(from, source, to, target, count);
    }
    long overflows = 0;
    int[] floatBits = new int[Math.min(BLOCK, count)];
    for (int done = 0; done < count; done += BLOCK) {
      int n = Math.min(BLOCK, count - done);
      widen(from, littleEndian(source), floatBits, n);
      source.position(source.position() + n * from.bytes());
      overflows += narrow(to, floatBits, n, littleEndian(target));
      target.position(target.position() + n * to.bytes());
    }
    return overflows;
  }

  /** True if {@link #convert} takes this pair. */
  public static boolean supported(DataType from, DataType to) {
    boolean narrowTarget = to == DataType.F8_E4M3 || to == DataType.F8_E5M2;
    return from == to || (from.isFloatingPoint() && to.isFloatingPoint() && !narrowTarget);
  }

  private static ByteBuffer littleEndian(ByteBuffer buffer) {
    return buffer.slice().order(ByteOrder.LITTLE_ENDIAN);
  }

  private static long convertDouble(
      DataType from, ByteBuffer source, DataType to, ByteBuffer target, int count) {
    int[] floatBits = new int[Math.min(BLOCK, count)];
    long overflows = 0;
    for (int done = 0; done < count; done += BLOCK) {
      int n = Math.min(BLOCK, count - done);
      ByteBuffer in = littleEndian(source);
      ByteBuffer out = littleEndian(target);
      if (from == DataType.F64) {
        for (int i = 0; i < n; i++) {
          double value = in.getDouble(i * Double.BYTES);
          float rounded = (float) value;
          floatBits[i] = Float.floatToRawIntBits(rounded);
          overflows += Float.isInfinite(rounded) && !Double.isInfinite(value) ? 1 : 0;
        }
        overflows += narrow(to, floatBits, n, out);
      } else {
        widen(from, in, floatBits, n);
        for (int i = 0; i < n; i++) {
          out.putDouble(i * Double.BYTES, Float.intBitsToFloat(floatBits[i]));
        }
      }
      source.position(source.position() + n * from.bytes());
      target.position(target.position() + n * to.bytes());
    }
    return overflows;
  }

  private static void widen(DataType from, ByteBuffer in, int[] floatBits, int n) {
    switch (from) {
      case F32 -> in.asIntBuffer().get(floatBits, 0, n);
      case BF16 -> {
        short[] raw = new short[n];
        in.asShortBuffer().get(raw);
        for (int i = 0; i < n; i++) {
          floatBits[i] = raw[i] << 16;
        }
      }
      case F16 -> {
        short[] raw = new short[n];
        in.asShortBuffer().get(raw);
        for (int i = 0; i < n; i++) {
          floatBits[i] = halfToFloatBits(raw[i]);
        }
      }
      case F8_E5M2 -> {
        for (int i = 0; i < n; i++) {
          floatBits[i] = halfToFloatBits(in.get(i) << 8); // the upper byte of an fp16
        }
      }
      case F8_E4M3 -> {
        for (int i = 0; i < n; i++) {
          floatBits[i] = e4m3ToFloatBits(in.get(i));
        }
      }
      case F64, C128, C64, U64, I64, U32, I32, U16, I16, U8, I8, BOOL ->
          throw new IllegalArgumentException("no conversion from " + from);
    }
  }

  private static long narrow(DataType to, int[] floatBits, int n, ByteBuffer out) {
    int overflows = 0;
    switch (to) {
      case F32 -> out.asIntBuffer().put(floatBits, 0, n);
      case BF16 -> {
        short[] raw = new short[n];
        for (int i = 0; i < n; i++) {
          int rounded = floatBitsToBfloat16(floatBits[i]);
          raw[i] = (short) rounded;
          overflows += isOverflow(floatBits[i], rounded, 0x7F80) ? 1 : 0;
        }
        out.asShortBuffer().put(raw);
      }
      case F16 -> {
        short[] raw = new short[n];
        for (int i = 0; i < n; i++) {
          int rounded = floatBitsToHalf(floatBits[i]);
          raw[i] = (short) rounded;
          overflows += isOverflow(floatBits[i], rounded, 0x7C00) ? 1 : 0;
        }
        out.asShortBuffer().put(raw);
      }
      case F64, F8_E4M3, F8_E5M2, C128, C64, U64, I64, U32, I32, U16, I16, U8, I8, BOOL ->
          throw new IllegalArgumentException("no conversion to " + to);
    }
    return overflows;
  }

  private static boolean isOverflow(int floatBits, int rounded, int infinity) {
    return (rounded & 0x7FFF) == infinity && (floatBits & 0x7FFF_FFFF) != INFINITY;
  }

  static int floatBitsToBfloat16(int bits) {
    if ((bits & 0x7FFF_FFFF) > INFINITY) {
      return 0x7FC0;
    }
    return (bits + 0x7FFF + ((bits >>> 16) & 1)) >>> 16;
  }

  static int floatBitsToHalf(int bits) {
    int sign = (bits >>> 16) & 0x8000;
    int magnitude = bits & 0x7FFF_FFFF;
    if (magnitude >= 0x4780_0000) { // 65536 and more, infinity, NaN
      return sign | (magnitude > INFINITY ? 0x7E00 : 0x7C00);
    }
    if (magnitude < 0x3880_0000) { // below 2^-14: the addition aligns and rounds a subnormal's bits
      int aligned = Float.floatToRawIntBits(Float.intBitsToFloat(magnitude) + 0.5f);
      return sign | (aligned - 0x3F00_0000);
    }
    int odd = (magnitude >>> 13) & 1;
    return sign | ((magnitude - (112 << 23) + 0xFFF + odd) >>> 13);
  }

  static int halfToFloatBits(int half) {
    int sign = (half & 0x8000) << 16;
    int magnitude = half & 0x7FFF;
    if (magnitude >= 0x7C00) {
      return sign | INFINITY | (magnitude & 0x3FF) << 13;
    }
    if (magnitude >= 0x0400) {
      return sign | ((magnitude << 13) + (112 << 23));
    }
    return sign | Float.floatToRawIntBits(magnitude * 0x1p-24f);
  }

  /** Four exponent bits with bias 7, three mantissa bits, no infinity; all ones is NaN. */
  private static int e4m3ToFloatBits(int raw) {
    int sign = (raw & 0x80) << 24;
    int magnitude = raw & 0x7F;
    if (magnitude == 0x7F) {
      return sign | 0x7FC0_0000;
    }
    if (magnitude >= 8) {
      return sign | ((magnitude << 20) + (120 << 23));
    }
    return sign | Float.floatToRawIntBits(magnitude * 0x1p-9f);
  }
}
