package io.github.pretrain4j.generate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class StopFilterTest {

  static LongStream seeds() {
    Long replay = Long.getLong("test.seed");
    return replay == null ? LongStream.range(0, 200) : LongStream.of(replay);
  }

  /**
   * However the text is cut, what comes out is what a search in the whole text, letter by letter,
   * gives.
   */
  @ParameterizedTest(name = "-Dtest.seed={0}")
  @MethodSource("seeds")
  void cutsAtTheFirstStopHoweverTheTextArrives(long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    String text = random(random, random.nextInt(60));
    List<String> stops =
        random.ints(random.nextInt(4), 1, 5).mapToObj(length -> random(random, length)).toList();
    StopFilter filter = new StopFilter(stops);
    StringBuilder out = new StringBuilder();
    for (int at = 0; at < text.length(); ) {
      int next = Math.min(text.length(), at + 1 + random.nextInt(7));
      out.append(filter.accept(text.substring(at, next)));
      at = next;
    }
    out.append(filter.finish());
    assertEquals(expected(text, stops), out.toString(), text + " " + stops);
  }

  private static String expected(String text, List<String> stops) {
    for (int end = 1; end <= text.length(); end++) {
      String upTo = text.substring(0, end);
      int longest = stops.stream().filter(upTo::endsWith).mapToInt(String::length).max().orElse(0);
      if (longest > 0) {
        return upTo.substring(0, end - longest);
      }
    }
    return text;
  }

  private static String random(SplittableRandom random, int length) {
    return random
        .ints(length, 'a', 'd')
        .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append)
        .toString();
  }

  @Test
  void holdsBackOnlyWhatMayBecomeAStop() {
    StopFilter filter = new StopFilter(List.of("\nUser:"));
    assertEquals("Hello", filter.accept("Hello\nUs"));
    assertFalse(filter.stopped());
    assertEquals("\nUsual", filter.accept("ual"));
    assertEquals("!", filter.accept("!\nUser"));
    assertEquals("", filter.accept(": next"));
    assertTrue(filter.stopped());
    assertEquals("", filter.accept("more"));
    assertEquals("", filter.finish());
  }
}
