package io.github.pretrain4j.dataset.gpt;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.NoSuchElementException;
import org.junit.jupiter.api.Test;

class PretrainingSamplerTest {
  @Test
  void dealsMicroBatchesAsMegatronDoes() {
    long[][][] expected = {{{6, 7}, {12, 13}}, {{8, 9}, {14, 15}}, {{10, 11}, {16, 17}}};
    for (int rank = 0; rank < 3; rank++) {
      PretrainingSampler sampler = new PretrainingSampler(20, 6, 2, rank, 3);
      assertArrayEquals(expected[rank][0], sampler.next());
      assertEquals(12, sampler.consumedSamples());
      assertArrayEquals(expected[rank][1], sampler.next());
      assertFalse(sampler.hasNext());
      assertThrows(NoSuchElementException.class, sampler::next);
    }
    assertThrows(IllegalArgumentException.class, () -> new PretrainingSampler(6, 6, 1, 0, 1));
    assertThrows(IllegalArgumentException.class, () -> new PretrainingSampler(6, 0, 0, 0, 1));
    assertThrows(IllegalArgumentException.class, () -> new PretrainingSampler(6, 0, 1, 1, 1));
    assertThrows(IllegalArgumentException.class, () -> new PretrainingSampler(0, 0, 1, 0, 1));
  }
}
