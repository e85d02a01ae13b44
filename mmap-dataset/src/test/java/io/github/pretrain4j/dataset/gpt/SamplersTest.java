package io.github.pretrain4j.dataset.gpt;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.ArrayList;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

/** Batches that Megatron's samplers gave. */
class SamplersTest {
  private static void assertBatches(int consumed, int rank, boolean sharding, long[]... expected) {
    CyclicSampler sampler = new CyclicSampler(20, consumed, 2, rank, 3, sharding);
    for (long[] batch : expected) {
      assertArrayEquals(batch, sampler.next());
    }
    assertEquals(consumed + 6L * expected.length, sampler.consumedSamples());
  }

  private static long[] batch(long first, long second) {
    return new long[] {first, second};
  }

  @Test
  void everyRankHasItsPartOfTheDataset() {
    assertBatches(
        0, 0, true, batch(2, 5), batch(3, 0), batch(1, 4), batch(1, 5), batch(2, 0), batch(3, 4));
    assertBatches(0, 1, true, batch(8, 11), batch(9, 6), batch(7, 10));
    assertBatches(0, 2, true, batch(14, 17), batch(15, 12), batch(13, 16));
    assertBatches(6, 0, true, batch(3, 0), batch(1, 4), batch(1, 5));
  }

  @Test
  void ranksTakeSamplesByTurns() {
    assertBatches(
        0,
        0,
        false,
        batch(4, 19),
        batch(3, 17),
        batch(16, 12),
        batch(5, 11),
        batch(1, 7),
        batch(16, 3));
    assertBatches(
        0, 1, false, batch(5, 7), batch(6, 11), batch(18, 15), batch(13, 19), batch(9, 0));
    assertBatches(
        0, 2, false, batch(13, 14), batch(9, 2), batch(10, 8), batch(2, 18), batch(4, 14));
    assertBatches(12, 2, false, batch(10, 8), batch(2, 18));
  }

  /** Megatron's rank 0 would take two batches here, the others one. */
  @Test
  void ranksStayTogetherWhenAnEpochIsNoWholeNumberOfBatches() {
    List<CyclicSampler> ranks = new ArrayList<>();
    for (int rank = 0; rank < 3; rank++) {
      ranks.add(new CyclicSampler(10, 0, 2, rank, 3, false));
    }
    for (int epoch = 0; epoch < 4; epoch++) {
      TreeSet<Long> seen = new TreeSet<>();
      for (CyclicSampler sampler : ranks) {
        for (long index : sampler.next()) {
          seen.add(index);
        }
        assertEquals(6L * (epoch + 1), sampler.consumedSamples());
      }
      assertEquals(6, seen.size());
    }
  }

  @Test
  void refusesWhatIsNoWholeNumberOfBatches() {
    assertThrows(IllegalArgumentException.class, () -> new CyclicSampler(20, 3, 2, 0, 3, true));
    assertThrows(IllegalArgumentException.class, () -> new CyclicSampler(5, 0, 2, 0, 3, true));
    assertThrows(IllegalArgumentException.class, () -> new CyclicSampler(20, 0, 2, 3, 3, true));
    assertThrows(
        IllegalArgumentException.class, () -> new CyclicSampler(1L << 31, 0, 2, 0, 3, true));
  }

  @Test
  void anIncompleteTailIsDealtWhenAskedFor() {
    long[][][] expected = {{{18, 19}}, {{20}}, {{}}};
    for (int rank = 0; rank < 3; rank++) {
      PretrainingSampler sampler = new PretrainingSampler(21, 18, 2, rank, 3, false);
      assertArrayEquals(expected[rank][0], sampler.next());
      assertFalse(sampler.hasNext());
      assertEquals(21, sampler.consumedSamples());
    }
  }

  @Test
  void fullValidationTakesEverySampleOnce() {
    FullValidationSampler first = new FullValidationSampler(5, 0, 2);
    FullValidationSampler second = new FullValidationSampler(5, 1, 2);
    for (long i = 0; i < 4; i++) {
      assertArrayEquals(new long[] {i}, (i % 2 == 0 ? first : second).next());
    }
    assertArrayEquals(new long[] {4}, first.next());
    assertFalse(second.hasNext());
    assertThrows(NoSuchElementException.class, second::next);
    assertEquals(3, second.batchesOfEveryRank());
    assertThrows(IllegalArgumentException.class, () -> new FullValidationSampler(0, 0, 2));
  }
}
