package io.github.pretrain4j.tokenizer.sentencepiece;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import java.util.Arrays;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class SuffixArrayTest {

  static LongStream seeds() {
    Long replay = Long.getLong("test.seed");
    return replay == null ? LongStream.range(0, 100) : LongStream.of(replay);
  }

  private static int[] naive(int[] text) {
    return IntStream.range(0, text.length)
        .boxed()
        .sorted((a, b) -> Arrays.compare(text, a, text.length, text, b, text.length))
        .mapToInt(i -> i)
        .toArray();
  }

  private static int[] naiveCommon(int[] text, int[] order, int end) {
    int[] common = new int[text.length];
    for (int i = 1; i < text.length; i++) {
      int n = 0;
      while (order[i] + n < text.length
          && order[i - 1] + n < text.length
          && text[order[i] + n] == text[order[i - 1] + n]
          && text[order[i] + n] != end) {
        n++;
      }
      common[i] = n;
    }
    return common;
  }

  @ParameterizedTest(name = "-Dtest.seed={0}")
  @MethodSource("seeds")
  void sortsAsComparisonDoes(long seed) {
    Random random = new Random(seed);
    for (int round = 0; round < 20; round++) {
      int alphabet = 1 + random.nextInt(round % 3 == 0 ? 2 : 6);
      int[] text = random.ints(random.nextInt(200), 0, alphabet).toArray();
      int[] order = SuffixArray.of(text, alphabet);
      assertArrayEquals(naive(text), order);
      assertArrayEquals(naiveCommon(text, order, 0), SuffixArray.commonPrefixes(text, order, 0));
    }
  }

  @Test
  void sortsRepetitions() {
    int[] one = new int[5000];
    int[] two = IntStream.range(0, 5000).map(i -> i % 2).toArray();
    int[] fibonacci = new int[5000];
    fibonacci[1] = 1;
    int end = 2;
    for (int last = 1; end < fibonacci.length; ) {
      int copied = Math.min(last, fibonacci.length - end);
      System.arraycopy(fibonacci, 0, fibonacci, end, copied);
      last = end;
      end += copied;
    }
    for (int[] text : new int[][] {one, two, fibonacci}) {
      assertArrayEquals(naive(text), SuffixArray.of(text, 2));
    }
  }
}
