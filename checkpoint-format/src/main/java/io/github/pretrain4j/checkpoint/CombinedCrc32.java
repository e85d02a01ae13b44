package io.github.pretrain4j.checkpoint;

/**
 * The CRC-32 of two runs of bytes joined, from the checksums of each: {@code crc(AB) = crc(A) *
 * x^(8 |B|) + crc(B)}, as polynomials over GF(2) modulo the checksum's own, bits reversed.
 */
final class CombinedCrc32 {
  /** The polynomial of zip's CRC-32, highest power (x^0 reversed) in the lowest bit. */
  private static final int POLYNOMIAL = 0xEDB8_8320;

  private static final int ONE = 1 << 31;

  /** x^8: what one byte more multiplies by. */
  private static final int BYTE = 1 << 23;

  private CombinedCrc32() {}

  /** The checksum of A and then B. */
  static int of(int first, int second, long secondBytes) {
    int shift = ONE;
    int power = BYTE;
    for (long rest = secondBytes; rest != 0; rest >>>= 1) {
      if ((rest & 1) != 0) {
        shift = multiply(shift, power);
      }
      power = multiply(power, power);
    }
    return multiply(first, shift) ^ second;
  }

  private static int multiply(int a, int b) {
    int product = 0;
    for (int bit = ONE; bit != 0; bit >>>= 1) {
      if ((a & bit) != 0) {
        product ^= b;
      }
      b = (b & 1) != 0 ? (b >>> 1) ^ POLYNOMIAL : b >>> 1;
    }
    return product;
  }
}
