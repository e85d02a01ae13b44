package io.github.pretrain4j.checkpoint;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Rounding of tensor elements, against exact arithmetic. */
class NumericConversionTest {

  private static ByteBuffer little(int bytes) {
    return ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }

  private static float widened(DataType from, int raw) {
    ByteBuffer source = little(from.bytes());
    if (from.bytes() == 1) {
      source.put(0, (byte) raw);
    } else {
      source.putShort(0, (short) raw);
    }
    ByteBuffer target = little(4);
    NumericConversion.convert(from, source, DataType.F32, target);
    return target.getFloat(0);
  }

  private static int narrowed(float value, DataType to) {
    ByteBuffer target = little(2);
    NumericConversion.convert(DataType.F32, little(4).putFloat(0, value), to, target);
    return Short.toUnsignedInt(target.getShort(0));
  }

  /**
   * Value of a float format with so many exponent and mantissa bits, computed from the definition.
   */
  private static double value(int raw, int exponentBits, int mantissaBits) {
    int bias = (1 << (exponentBits - 1)) - 1;
    int exponent = raw >> mantissaBits & (1 << exponentBits) - 1;
    int mantissa = raw & (1 << mantissaBits) - 1;
    double sign = raw >> (exponentBits + mantissaBits) != 0 ? -1 : 1;
    return exponent == 0
        ? sign * Math.scalb((double) mantissa, 1 - bias - mantissaBits)
        : sign
            * Math.scalb(mantissa + (double) (1 << mantissaBits), exponent - bias - mantissaBits);
  }

  @Test
  void widensEverySixteenBitValueExactly() {
    for (int raw = 0; raw < 0x1_0000; raw++) {
      if ((raw & 0x7C00) != 0x7C00) {
        assertEquals(value(raw, 5, 10), widened(DataType.F16, raw));
      }
      if ((raw & 0x7F80) != 0x7F80) {
        assertEquals(value(raw, 8, 7), widened(DataType.BF16, raw));
      }
    }
    assertEquals(Float.POSITIVE_INFINITY, widened(DataType.F16, 0x7C00));
    assertEquals(Float.NEGATIVE_INFINITY, widened(DataType.BF16, 0xFF80));
    assertTrue(Float.isNaN(widened(DataType.F16, 0xFE01)));
  }

  @Test
  void widensEveryEightBitValueExactly() {
    for (int raw = 0; raw < 0x100; raw++) {
      if ((raw & 0x7F) == 0x7F) {
        assertTrue(Float.isNaN(widened(DataType.F8_E4M3, raw)));
      } else {
        assertEquals(value(raw, 4, 3), widened(DataType.F8_E4M3, raw));
      }
      if ((raw & 0x7C) != 0x7C) {
        assertEquals(value(raw, 5, 2), widened(DataType.F8_E5M2, raw));
      }
    }
    assertEquals(448f, widened(DataType.F8_E4M3, 0x7E));
    assertEquals(57344f, widened(DataType.F8_E5M2, 0x7B));
    assertEquals(Float.NEGATIVE_INFINITY, widened(DataType.F8_E5M2, 0xFC));
  }

  @Test
  void narrowsToTheSameValueWhereItExists() {
    for (int raw = 0; raw < 0x1_0000; raw++) {
      if ((raw & 0x7FFF) <= 0x7C00) {
        assertEquals(raw, narrowed(widened(DataType.F16, raw), DataType.F16));
      }
      if ((raw & 0x7FFF) <= 0x7F80) {
        assertEquals(raw, narrowed(widened(DataType.BF16, raw), DataType.BF16));
      }
    }
    assertEquals(0x7FC0, narrowed(Float.NaN, DataType.BF16));
    assertEquals(0x7E00, narrowed(Float.NaN, DataType.F16));
  }

  /** Halfway between neighbours goes to the even one; a hair beside it goes to the nearer one. */
  @Test
  void roundsToNearestTiesToEven() {
    for (int raw = 0; raw < 0x7BFF; raw++) {
      float middle = (float) ((value(raw, 5, 10) + value(raw + 1, 5, 10)) / 2);
      assertEquals(raw + (raw & 1), narrowed(middle, DataType.F16));
      assertEquals(raw, narrowed(Math.nextDown(middle), DataType.F16));
      assertEquals(raw + 1, narrowed(Math.nextUp(middle), DataType.F16));
      assertEquals(0x8000 | (raw + 1), narrowed(-Math.nextUp(middle), DataType.F16));
    }
    for (int raw = 0; raw < 0x7F7F; raw++) {
      float middle = Float.intBitsToFloat(raw << 16 | 0x8000);
      assertEquals(raw + (raw & 1), narrowed(middle, DataType.BF16));
      assertEquals(raw, narrowed(Math.nextDown(middle), DataType.BF16));
      assertEquals(raw + 1, narrowed(Math.nextUp(middle), DataType.BF16));
    }
  }

  @Test
  void overflowsToInfinityAndCountsIt() {
    assertEquals(0x7BFF, narrowed(65519.996f, DataType.F16));
    assertEquals(0x7C00, narrowed(65520f, DataType.F16));
    assertEquals(0xFF80, narrowed(-Float.MAX_VALUE, DataType.BF16));
    ByteBuffer source = little(20).putFloat(1e6f).putFloat(1f).putFloat(Float.NaN).putFloat(-1e38f);
    source.putFloat(Float.POSITIVE_INFINITY).flip();
    assertEquals(2, NumericConversion.convert(DataType.F32, source, DataType.F16, little(10)));
    ByteBuffer doubles = little(16).putDouble(1e300).putDouble(Double.NEGATIVE_INFINITY).flip();
    assertEquals(1, NumericConversion.convert(DataType.F64, doubles, DataType.F32, little(8)));
  }

  @Test
  void convertsLongBuffersOfAnyKindAndOrder() {
    int count = 10_001;
    ByteBuffer source = ByteBuffer.allocateDirect(count * 8 + 3).position(3);
    Random random = new Random(7);
    for (int i = 0; i < count; i++) {
      source.order(ByteOrder.LITTLE_ENDIAN).putDouble(3 + 8 * i, random.nextGaussian());
    }
    ByteBuffer floats = ByteBuffer.allocate(count * 4 + 1).position(1);
    NumericConversion.convert(
        DataType.F64, source.order(ByteOrder.BIG_ENDIAN), DataType.F32, floats);
    assertEquals(0, source.remaining());
    assertEquals(0, floats.remaining());
    ByteBuffer halves = little(count * 2);
    NumericConversion.convert(DataType.F32, floats.position(1), DataType.BF16, halves);
    ByteBuffer back = little(count * 8);
    NumericConversion.convert(DataType.BF16, halves.flip(), DataType.F64, back);
    for (int i = 0; i < count; i++) {
      float exact = (float) source.order(ByteOrder.LITTLE_ENDIAN).getDouble(3 + 8 * i);
      assertEquals(widened(DataType.BF16, narrowed(exact, DataType.BF16)), back.getDouble(8 * i));
    }
  }

  @Test
  void copiesEqualTypesAndRefusesOthers() {
    ByteBuffer target = little(4);
    NumericConversion.convert(DataType.F32, little(4).putInt(0, 0x7FA0_0001), DataType.F32, target);
    assertEquals(0x7FA0_0001, target.getInt(0), "a NaN keeps its payload");
    assertThrows(
        IllegalArgumentException.class,
        () -> NumericConversion.convert(DataType.I32, little(4), DataType.F32, little(4)));
    assertThrows(
        IllegalArgumentException.class,
        () -> NumericConversion.convert(DataType.F32, little(4), DataType.F8_E4M3, little(4)));
    assertThrows(
        IllegalArgumentException.class,
        () -> NumericConversion.convert(DataType.F32, little(6), DataType.F16, little(4)));
    assertThrows(
        IllegalArgumentException.class,
        () -> NumericConversion.convert(DataType.F16, little(4), DataType.F32, little(7)));
  }
}
