package io.github.pretrain4j.inspect;

import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.TensorSource;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/**
 * What one pass over a tensor's data finds.
 *
 * @param sha256 of its packed little-endian data, in lower-case hex
 * @param nanCount numbers that are not a number; a complex element has two numbers
 * @param infinityCount infinite numbers
 * @param zeroCount numbers that are 0 or -0
 * @param minimum least finite number; positive infinity if there is none
 * @param maximum greatest finite number; negative infinity if there is none
 */
public record TensorScan(
    String sha256,
    long nanCount,
    long infinityCount,
    long zeroCount,
    double minimum,
    double maximum) {

  private static final int CHUNK_ELEMENTS = 1 << 16;

  /** Buffers of one worker. */
  static final class Scanner {
    private final ByteBuffer data = ByteBuffer.allocateDirect(CHUNK_ELEMENTS * 16);
    private final double[] values = new double[CHUNK_ELEMENTS * 2];
    private final MessageDigest digest = sha256Digest();

    TensorScan scan(TensorSource source, TensorInfo info) throws IOException {
      Totals totals = new Totals();
      int chunk = CHUNK_ELEMENTS * info.type().bytes();
      for (long offset = 0; offset < info.byteCount(); offset += chunk) {
        data.clear().limit((int) Math.min(chunk, info.byteCount() - offset));
        source.read(info.name(), offset, data);
        digest.update(data.flip());
        totals.add(values, ElementValues.decode(info.type(), data, values));
      }
      return totals.scan(HexFormat.of().formatHex(digest.digest()));
    }
  }

  private static final class Totals {
    private long nans;
    private long infinities;
    private long zeros;
    private double minimum = Double.POSITIVE_INFINITY;
    private double maximum = Double.NEGATIVE_INFINITY;

    void add(double[] values, int count) {
      for (int i = 0; i < count; i++) {
        double value = values[i];
        if (Math.abs(value) <= Double.MAX_VALUE) {
          minimum = Math.min(minimum, value);
          maximum = Math.max(maximum, value);
          zeros += value == 0 ? 1 : 0;
        } else if (Double.isNaN(value)) {
          nans++;
        } else {
          infinities++;
        }
      }
    }

    TensorScan scan(String sha256) {
      return new TensorScan(sha256, nans, infinities, zeros, minimum, maximum);
    }
  }

  /** Whether every number is finite. */
  public boolean isFinite() {
    return nanCount == 0 && infinityCount == 0;
  }

  static MessageDigest sha256Digest() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
  }
}
