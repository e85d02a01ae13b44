package io.github.pretrain4j.generate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

class SamplerTest {

  /** Probabilities 0.1, 0.2, 0.4, 0.3 at temperature 1. */
  private static final float[] LOGITS = {
    (float) Math.log(1), (float) Math.log(2), (float) Math.log(4), (float) Math.log(3)
  };

  @Test
  void zeroTemperatureTakesTheGreatestAndOfEqualsTheFirst() throws IOException {
    Sampler greedy = new Sampler(SamplingConfig.greedy(1));
    assertEquals(2, greedy.next(LOGITS, 0));
    assertEquals(1, greedy.next(new float[] {0, 5, 5, 1}, 0));
  }

  @Test
  void frequenciesFollowTheSoftmax() throws IOException {
    assertFrequencies(config(1, 0, 1), 0.1, 0.2, 0.4, 0.3);
    // At temperature 1/2 the probabilities are squared and rescaled: 1, 4, 16, 9 of 30.
    assertFrequencies(config(0.5, 0, 1), 1 / 30.0, 4 / 30.0, 16 / 30.0, 9 / 30.0);
  }

  @Test
  void topKKeepsTheLargest() throws IOException {
    assertFrequencies(config(1, 2, 1), 0, 0, 4 / 7.0, 3 / 7.0);
    assertFrequencies(config(1, 1, 1), 0, 0, 1, 0);
    assertFrequencies(config(1, 99, 1), 0.1, 0.2, 0.4, 0.3);
  }

  @Test
  void topPKeepsTheSmallestSetThatReachesIt() throws IOException {
    assertFrequencies(config(1, 0, 0.39), 0, 0, 1, 0);
    assertFrequencies(config(1, 0, 0.69), 0, 0, 4 / 7.0, 3 / 7.0);
    assertFrequencies(config(1, 0, 0.71), 0, 2 / 9.0, 4 / 9.0, 3 / 9.0);
    // top-k first, then top-p of what is left: 4/7 = 0.571
    assertFrequencies(config(1, 2, 0.57), 0, 0, 1, 0);
  }

  @Test
  void equalLogitsRankByTokenId() throws IOException {
    Set<Integer> drawn = new HashSet<>();
    Sampler sampler = new Sampler(config(1, 2, 1));
    for (int i = 0; i < 200; i++) {
      drawn.add(sampler.next(new float[] {-0f, 1, 0f, 0, 1, 1}, i));
    }
    assertEquals(Set.of(1, 4), drawn);
  }

  @Test
  void negativeLogitsRankCorrectly() throws IOException {
    Sampler sampler = new Sampler(config(1, 1, 1));
    assertEquals(1, sampler.next(new float[] {-3, -1, -2}, 0));
    Sampler two = new Sampler(config(100, 2, 1));
    Set<Integer> drawn = new HashSet<>();
    for (int i = 0; i < 100; i++) {
      drawn.add(two.next(new float[] {-3, -1, -2, -1e30f}, i));
    }
    assertEquals(Set.of(1, 2), drawn);
  }

  @Test
  void theDrawIsAFunctionOfSeedAndIndex() throws IOException {
    float[] flat = new float[1000];
    Sampler a = new Sampler(new SamplingConfig(1, 0, 1, 7, 1, List.of()));
    Sampler b = new Sampler(new SamplingConfig(1, 0, 1, 7, 1, List.of()));
    int fifth = b.next(flat, 5);
    for (int i = 0; i < 5; i++) {
      a.next(flat, i);
    }
    assertEquals(fifth, a.next(flat, 5));
    assertNotEquals(fifth, new Sampler(new SamplingConfig(1, 0, 1, 8, 1, List.of())).next(flat, 5));
  }

  @Test
  void randomNumbersCoverTheUnitIntervalEvenly() {
    int[] bins = new int[10];
    for (int seed = 0; seed < 100; seed++) {
      for (int index = 0; index < 100; index++) {
        bins[(int) (Sampler.uniform(seed, index) * 10)]++;
      }
    }
    for (int bin : bins) {
      assertTrue(Math.abs(bin - 1000) < 150, "five standard deviations: " + bin);
    }
  }

  @Test
  void damagedLogitsAreAnError() {
    Sampler sampler = new Sampler(SamplingConfig.greedy(1));
    DamagedWeightsException e =
        assertThrows(
            DamagedWeightsException.class,
            () -> sampler.next(new float[] {0, Float.NEGATIVE_INFINITY, 2, Float.NaN}, 6));
    assertTrue(
        String.valueOf(e.getMessage())
            .startsWith(
                "generated token 7: 2 of 4 logits are not finite, the first is -Infinity for token id 1:"),
        e::getMessage);
  }

  @Test
  void settingsOutOfRangeAreRefused() {
    assertThrows(IllegalArgumentException.class, () -> config(-0.1, 0, 1));
    assertThrows(IllegalArgumentException.class, () -> config(Double.NaN, 0, 1));
    assertThrows(IllegalArgumentException.class, () -> config(1, -1, 1));
    assertThrows(IllegalArgumentException.class, () -> config(1, 0, 0));
    assertThrows(IllegalArgumentException.class, () -> config(1, 0, 1.01));
    assertThrows(
        IllegalArgumentException.class, () -> SamplingConfig.greedy(1).withStop(List.of("")));
  }

  private static SamplingConfig config(double temperature, int topK, double topP) {
    return new SamplingConfig(temperature, topK, topP, 11, 1, List.of());
  }

  private static void assertFrequencies(SamplingConfig config, double... expected)
      throws IOException {
    int draws = 20_000;
    int[] counts = new int[expected.length];
    Sampler sampler = new Sampler(config);
    for (int i = 0; i < draws; i++) {
      counts[sampler.next(LOGITS, i)]++;
    }
    for (int id = 0; id < expected.length; id++) {
      // Five standard deviations of a binomial count; none at all where the token is cut off.
      double deviation = 5 * Math.sqrt(draws * expected[id] * (1 - expected[id]));
      assertEquals(expected[id] * draws, counts[id], deviation, "token " + id + " with " + config);
    }
  }
}
