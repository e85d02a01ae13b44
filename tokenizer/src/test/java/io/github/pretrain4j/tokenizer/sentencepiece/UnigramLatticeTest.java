package io.github.pretrain4j.tokenizer.sentencepiece;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class UnigramLatticeTest {
  private static final int SYMBOLS = 3;

  static LongStream seeds() {
    Long replay = Long.getLong("test.seed");
    return replay == null ? LongStream.range(0, 100) : LongStream.of(replay);
  }

  /** Words over three symbols and all their parts of up to four symbols as pieces. */
  private static final class Toy {
    final int[] text;
    final List<int[]> words = new ArrayList<>();
    final int[] start;
    final int[] length;
    final double[] score;
    final UnigramLattice lattice;

    Toy(Random random) {
      List<Integer> symbols = new ArrayList<>();
      for (int w = 0; w < 5; w++) {
        int from = symbols.size();
        int size = 1 + random.nextInt(9);
        for (int i = 0; i < size; i++) {
          symbols.add(1 + random.nextInt(SYMBOLS));
        }
        words.add(new int[] {from, symbols.size()});
      }
      for (int symbol = 1; symbol <= SYMBOLS; symbol++) {
        symbols.add(symbol);
      }
      text = symbols.stream().mapToInt(i -> i).toArray();
      TreeMap<int[], Integer> pieces = new TreeMap<>(Arrays::compare);
      for (int symbol = 1; symbol <= SYMBOLS; symbol++) {
        pieces.put(new int[] {symbol}, text.length - SYMBOLS + symbol - 1);
      }
      for (int[] word : words) {
        for (int from = word[0]; from < word[1]; from++) {
          for (int to = from + 2; to <= Math.min(word[1], from + 4); to++) {
            if (random.nextInt(3) > 0) {
              pieces.put(Arrays.copyOfRange(text, from, to), from);
            }
          }
        }
      }
      start = pieces.values().stream().mapToInt(i -> i).toArray();
      length = pieces.keySet().stream().mapToInt(piece -> piece.length).toArray();
      score = random.doubles(start.length, -9, 0).toArray();
      lattice =
          new UnigramLattice(text, new SymbolTrie(text, start, length, SYMBOLS + 1), length, score);
    }

    /** All ways to cut a part of the text, by trying every piece. */
    List<List<Integer>> segmentations(int from, int to) {
      List<List<Integer>> all = new ArrayList<>();
      if (from == to) {
        all.add(List.of());
      }
      for (int piece = 0; piece < start.length; piece++) {
        int end = from + length[piece];
        if (end <= to
            && Arrays.equals(text, from, end, text, start[piece], start[piece] + length[piece])) {
          for (List<Integer> rest : segmentations(end, to)) {
            List<Integer> one = new ArrayList<>(List.of(piece));
            one.addAll(rest);
            all.add(one);
          }
        }
      }
      return all;
    }

    double score(List<Integer> segmentation) {
      return segmentation.stream().mapToDouble(piece -> score[piece]).sum();
    }
  }

  @ParameterizedTest(name = "-Dtest.seed={0}")
  @MethodSource("seeds")
  void agreesWithAllSegmentationsOneByOne(long seed) {
    Toy toy = new Toy(new Random(seed));
    for (int[] word : toy.words) {
      double probability = 0;
      double[] expected = new double[toy.start.length];
      double best = Double.NEGATIVE_INFINITY;
      double bestWithoutFirst = Double.NEGATIVE_INFINITY;
      List<List<Integer>> all = toy.segmentations(word[0], word[1]);
      int excluded = all.get(all.size() - 1).size() > 1 ? all.get(all.size() - 1).get(0) : -1;
      for (List<Integer> segmentation : all) {
        double weight = Math.exp(toy.score(segmentation));
        probability += weight;
        segmentation.forEach(piece -> expected[piece] += weight);
        best = Math.max(best, toy.score(segmentation));
        if (!segmentation.contains(excluded)) {
          bestWithoutFirst = Math.max(bestWithoutFirst, toy.score(segmentation));
        }
      }
      double[] counted = new double[expected.length];
      double logarithm = toy.lattice.addExpected(word[0], word[1], 3, counted);
      assertEquals(Math.log(probability), logarithm, 1e-9);
      for (int i = 0; i < expected.length; i++) {
        expected[i] *= 3 / probability;
      }
      assertArrayEquals(expected, counted, 1e-9);

      double[] frequency = new double[expected.length];
      toy.lattice.addBest(word[0], word[1], 1, frequency);
      double found = 0;
      for (int i = 0; i < frequency.length; i++) {
        found += frequency[i] == 0 ? 0 : frequency[i] * toy.score[i];
      }
      assertEquals(best, found, 1e-9);
      if (excluded >= 0 && toy.length[excluded] > 1) {
        double without = 0;
        for (int piece : toy.lattice.bestWithout(word[0], word[1], excluded)) {
          without += toy.score[piece];
        }
        assertEquals(bestWithoutFirst, without, 1e-9);
      }
    }
  }

  @ParameterizedTest(name = "-Dtest.seed={0}")
  @MethodSource("seeds")
  void expectationMaximisationNeverLowersTheLikelihood(long seed) {
    Toy toy = new Toy(new Random(seed));
    double before = Double.NEGATIVE_INFINITY;
    for (int round = 0; round < 30; round++) {
      double[] expected = new double[toy.start.length];
      double likelihood = 0;
      for (int[] word : toy.words) {
        likelihood += toy.lattice.addExpected(word[0], word[1], 1, expected);
      }
      // From the second round on scores are those of a probability distribution.
      assertTrue(round < 2 || likelihood >= before - 1e-9, likelihood + " after " + before);
      before = likelihood;
      double sum = Arrays.stream(expected).sum();
      for (int i = 0; i < expected.length; i++) {
        toy.score[i] = Math.log(Math.max(expected[i], 1e-300) / sum);
      }
    }
  }

  /** Words of any length: sums of probabilities far below the smallest double. */
  @Test
  void longWordsDoNotUnderflow() {
    int size = 20_000;
    int[] text = new int[size + 1];
    Arrays.fill(text, 1);
    int[] start = {0, 0};
    int[] length = {1, 2};
    double[] score = {-10, -25};
    UnigramLattice lattice =
        new UnigramLattice(text, new SymbolTrie(text, start, length, 2), length, score);
    double[] expected = new double[2];
    double logarithm = lattice.addExpected(0, size, 1, expected);
    assertEquals(size, expected[0] + 2 * expected[1], 1e-8 * size);
    assertTrue(logarithm > -10.0 * size && logarithm < -9.9 * size, "" + logarithm);
  }
}
