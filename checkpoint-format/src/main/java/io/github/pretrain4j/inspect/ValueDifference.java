package io.github.pretrain4j.inspect;

import io.github.pretrain4j.checkpoint.DataType;
import io.github.pretrain4j.checkpoint.NumericConversion;
import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.TensorSource;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;

/**
 * How the values of two tensors differ.
 *
 * @param elementCount how many elements were compared
 * @param differingCount elements of equal type whose bytes differ, or of different types that are
 *     not equal when the wider is rounded to the narrower; NaNs of different types are equal
 * @param maxAbsolute greatest distance of two values, after that rounding; infinite if only one of
 *     two is a number
 * @param firstIndex row-major index of the first that differs; -1 if none does
 */
public record ValueDifference(
    long elementCount, long differingCount, double maxAbsolute, long firstIndex) {

  private static final int CHUNK_ELEMENTS = 1 << 16;

  /** Buffers of one worker. */
  static final class Comparer {
    private final ByteBuffer one = ByteBuffer.allocateDirect(CHUNK_ELEMENTS * 16);
    private final ByteBuffer other = ByteBuffer.allocateDirect(CHUNK_ELEMENTS * 16);
    private final ByteBuffer rounded = ByteBuffer.allocateDirect(CHUNK_ELEMENTS * 16);
    private final double[] oneValues = new double[CHUNK_ELEMENTS * 2];
    private final double[] otherValues = new double[CHUNK_ELEMENTS * 2];

    /** Compares the first {@code elementCount} elements. */
    ValueDifference compare(
        TensorSource left,
        TensorInfo leftInfo,
        TensorSource right,
        TensorInfo rightInfo,
        long elementCount)
        throws IOException {
      Totals totals = new Totals();
      for (long done = 0; done < elementCount; done += CHUNK_ELEMENTS) {
        int count = (int) Math.min(CHUNK_ELEMENTS, elementCount - done);
        fill(one, left, leftInfo, done, count);
        fill(other, right, rightInfo, done, count);
        if (leftInfo.type() != rightInfo.type() || !one.equals(other)) {
          compareChunk(leftInfo.type(), rightInfo.type(), done, count, totals);
        }
      }
      return new ValueDifference(elementCount, totals.differing, totals.max, totals.first);
    }

    private static void fill(
        ByteBuffer buffer, TensorSource source, TensorInfo info, long element, int count)
        throws IOException {
      int width = info.type().bytes();
      buffer.clear().limit(count * width);
      source.read(info.name(), element * width, buffer);
      buffer.flip();
    }

    private void compareChunk(DataType left, DataType right, long start, int count, Totals totals) {
      ElementValues.decode(left, one, oneValues);
      ElementValues.decode(right, other, otherValues);
      if (left != right) {
        roundToNarrower(left, right);
      }
      int perElement = Math.max(ElementValues.perElement(left), ElementValues.perElement(right));
      if (ElementValues.perElement(left) != ElementValues.perElement(right)) {
        totals.add(start, count, Double.POSITIVE_INFINITY);
        return;
      }
      for (int i = 0; i < count; i++) {
        boolean differs =
            left == right ? !sameBytes(i, left.bytes()) : !sameNumbers(i * perElement, perElement);
        if (differs) {
          double distance = 0;
          for (int j = i * perElement; j < (i + 1) * perElement; j++) {
            distance = Math.max(distance, distance(oneValues[j], otherValues[j]));
          }
          totals.add(start + i, 1, distance);
        }
      }
    }

    private boolean sameBytes(int element, int width) {
      return one.slice(element * width, width).equals(other.slice(element * width, width));
    }

    private boolean sameNumbers(int start, int count) {
      return Arrays.equals(oneValues, start, start + count, otherValues, start, start + count);
    }

    /** A value and its rounding are the same number then; a distance is that after rounding. */
    private void roundToNarrower(DataType left, DataType right) {
      if (left.bytes() > right.bytes() && NumericConversion.supported(left, right)) {
        round(left, right, one, oneValues);
      } else if (right.bytes() > left.bytes() && NumericConversion.supported(right, left)) {
        round(right, left, other, otherValues);
      }
    }

    private void round(DataType from, DataType to, ByteBuffer data, double[] values) {
      rounded.clear();
      NumericConversion.convert(from, data.duplicate(), to, rounded);
      ElementValues.decode(to, rounded.flip(), values);
    }

    private static double distance(double one, double other) {
      if (one == other || (Double.isNaN(one) && Double.isNaN(other))) {
        return 0;
      }
      double distance = Math.abs(one - other);
      return Double.isNaN(distance) ? Double.POSITIVE_INFINITY : distance;
    }
  }

  private static final class Totals {
    private long differing;
    private double max;
    private long first = -1;

    void add(long element, long count, double distance) {
      first = first < 0 ? element : first;
      differing += count;
      max = Math.max(max, distance);
    }
  }
}
