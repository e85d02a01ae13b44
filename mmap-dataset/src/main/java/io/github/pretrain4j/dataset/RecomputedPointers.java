package io.github.pretrain4j.dataset;

import io.github.pretrain4j.dataset.storage.MappedFile;
import java.io.IOException;

/**
 * Pointers added up from the lengths, for an index whose own are not to be trusted: every {@value
 * #STRIDE}th is kept, the others are a short sum away.
 */
final class RecomputedPointers {
  private static final int STRIDE = 1024;

  private final MappedFile index;
  private final IndexHeader header;
  private final long[] everyStride;
  private final long end;

  private RecomputedPointers(MappedFile index, IndexHeader header, long[] everyStride, long end) {
    this.index = index;
    this.header = header;
    this.everyStride = everyStride;
    this.end = end;
  }

  /**
   * Reads all lengths.
   *
   * @throws CorruptDatasetException for a negative length
   */
  static RecomputedPointers of(MappedFile index, IndexHeader header) throws IOException {
    long count = header.sequenceCount();
    long[] everyStride = new long[Math.toIntExact(count / STRIDE + 1)];
    int[] lengths = new int[STRIDE];
    long pointer = 0;
    for (long first = 0; first < count; first += STRIDE) {
      everyStride[(int) (first / STRIDE)] = pointer;
      int some = (int) Math.min(STRIDE, count - first);
      index.getInts(header.lengthAt(first), lengths, 0, some);
      for (int i = 0; i < some; i++) {
        if (lengths[i] < 0) {
          throw new CorruptDatasetException(
              index.path(),
              header.lengthAt(first + i),
              "length of sequence " + (first + i),
              "0 or more",
              lengths[i]);
        }
        pointer += (long) lengths[i] * header.type().bytes();
      }
    }
    return new RecomputedPointers(index, header, everyStride, pointer);
  }

  /** The first byte of a sequence. */
  long pointer(long sequence) {
    long first = sequence / STRIDE * STRIDE;
    long tokens = 0;
    for (long i = first; i < sequence; i++) {
      tokens += index.getInt(header.lengthAt(i));
    }
    return everyStride[(int) (first / STRIDE)] + tokens * header.type().bytes();
  }

  /** The byte behind the last sequence. */
  long end() {
    return end;
  }
}
