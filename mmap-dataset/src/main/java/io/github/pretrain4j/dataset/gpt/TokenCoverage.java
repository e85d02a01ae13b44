package io.github.pretrain4j.dataset.gpt;

import io.github.pretrain4j.dataset.IndexedDataset;
import java.io.IOException;
import java.util.Arrays;

/**
 * Which tokens of a split were input of some samples, to the token.
 *
 * <p>One bit a token, for {@value #WINDOW} tokens at a time: a larger split is gone through several
 * times. Where a sequence begins is kept for every {@value #STRIDE}th sequence and counted on from
 * there. Not thread-safe.
 */
final class TokenCoverage {
  private static final int WINDOW = 1 << 30;
  private static final int STRIDE = 16;

  private final IndexedDataset sequences;
  private final long firstSequence;
  private final long tokenCount;
  private final long[] starts;

  /** Goes through the parts of some samples, the same each time. */
  interface Parts {
    void forEach(GptDataset.PartVisitor visitor) throws IOException;
  }

  /**
   * What some samples consume after others.
   *
   * @param before tokens that the earlier samples had, repetitions included
   * @param planned tokens of the later samples, repetitions included
   * @param repeated those among them that an earlier sample had, or an earlier one of themselves
   * @param neverSeen tokens of the split that no sample has
   */
  record Result(long before, long planned, long repeated, long neverSeen) {}

  TokenCoverage(GptDataset dataset) {
    this.sequences = dataset.sequences();
    this.firstSequence = dataset.plan().firstSequence();
    this.tokenCount = dataset.tokenCount();
    int count = dataset.plan().sequenceCount();
    this.starts = new long[count / STRIDE + 1];
    long start = 0;
    for (int i = 0; i < count; i++) {
      if (i % STRIDE == 0) {
        starts[i / STRIDE] = start;
      }
      start += sequences.sequenceLength(firstSequence + i);
    }
  }

  private long start(long sequence) {
    long inSplit = sequence - firstSequence;
    long known = inSplit / STRIDE;
    long start = starts[(int) known];
    for (long i = known * STRIDE; i < inSplit; i++) {
      start += sequences.sequenceLength(firstSequence + i);
    }
    return start;
  }

  /** Counts what the later samples repeat of the earlier ones. */
  Result count(Parts earlier, Parts later) throws IOException {
    long[] bits = new long[(int) ((Math.min(tokenCount, WINDOW) + 63) / 64)];
    long before = 0;
    long planned = 0;
    long fresh = 0;
    long seen = 0;
    for (long window = 0; window < tokenCount; window += WINDOW) {
      Arrays.fill(bits, 0);
      Marker first = new Marker(bits, window);
      earlier.forEach(first);
      Marker second = new Marker(bits, window);
      later.forEach(second);
      before += first.tokens;
      planned += second.tokens;
      fresh += second.fresh;
      seen += first.fresh + second.fresh;
    }
    return new Result(before, planned, planned - fresh, tokenCount - seen);
  }

  /** Sets the bits of parts. */
  private final class Marker implements GptDataset.PartVisitor {
    private final long[] bits;
    private final long window;
    private long tokens;
    private long fresh;

    Marker(long[] bits, long window) {
      this.bits = bits;
      this.window = window;
    }

    @Override
    public void part(long sequence, int offset, int length) {
      long from = Math.max(0, start(sequence) + offset - window);
      long to = Math.min(WINDOW, start(sequence) + offset + length - window);
      tokens += Math.max(0, to - from);
      while (from < to) {
        int bit = (int) (from & 63);
        int count = (int) Math.min(64 - bit, to - from);
        long mask = (-1L >>> (64 - count)) << bit;
        int word = (int) (from >> 6);
        fresh += Long.bitCount(mask & ~bits[word]);
        bits[word] |= mask;
        from += count;
      }
    }
  }
}
