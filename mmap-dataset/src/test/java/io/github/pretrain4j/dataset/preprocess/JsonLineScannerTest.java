package io.github.pretrain4j.dataset.preprocess;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.LongStream;
import org.jspecify.annotations.NullUnmarked;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Accepts what Python's {@code json.loads} accepts; Jackson, with its own manners, is the judge.
 */
@NullUnmarked // JUnit injects, and assertions check, what the compiler cannot see
class JsonLineScannerTest {
  private static final List<String> KEYS = List.of("text", "title");

  static LongStream seeds() {
    Long replay = Long.getLong("test.seed");
    return replay == null ? LongStream.range(0, 100) : LongStream.of(replay);
  }

  /** For each key its texts, or what is wrong. */
  private static Object scan(JsonLineScanner scanner, byte[] bytes, int from, int to, int end) {
    try {
      assertEquals(end, scanner.scan(bytes, from, to));
    } catch (BadLine e) {
      assertTrue(e.at >= from && e.at <= end, e.at + " is not in " + from + " to " + end);
      return "bad: " + e.expected + ", " + e.found;
    }
    List<List<String>> texts = new ArrayList<>();
    for (int key = 0; key < KEYS.size(); key++) {
      texts.add(new ArrayList<>());
      for (int i = 0; i < scanner.textCount(key); i++) {
        int start = scanner.textStart(key, i);
        int length = scanner.textEnd(key, i) - start;
        texts
            .get(key)
            .add(new String(scanner.textBytes(key, i), start, length, StandardCharsets.UTF_8));
      }
    }
    return texts;
  }

  private static Object scan(String line) {
    byte[] bytes = line.getBytes(StandardCharsets.UTF_8);
    return scan(new JsonLineScanner(KEYS), bytes, 0, bytes.length, bytes.length);
  }

  private static Object parse(JacksonLineParser parser, byte[] line) {
    try {
      return parser.parse(line, 0, line.length);
    } catch (BadLine e) {
      return "bad: " + e.expected + ", " + e.found;
    }
  }

  @ParameterizedTest(name = "-Dtest.seed={0}")
  @MethodSource("seeds")
  void agreesWithAnotherParser(long seed) {
    FuzzedLines lines = new FuzzedLines(seed);
    Random random = new Random(seed);
    JsonLineScanner scanner = new JsonLineScanner(KEYS);
    JacksonLineParser parser = new JacksonLineParser(KEYS);
    for (int round = 0; round < 300; round++) {
      byte[] line = lines.next();
      int before = random.nextInt(9);
      byte[] bytes = new byte[before + line.length + random.nextInt(12)];
      random.nextBytes(bytes);
      System.arraycopy(line, 0, bytes, before, line.length);
      int end = before + line.length;
      if (end < bytes.length) {
        bytes[end] = (byte) (random.nextBoolean() ? '\n' : '\r');
      }
      Object found = scan(scanner, bytes, before, bytes.length, end);
      Object expected = parse(parser, line);
      if (!(found instanceof String && expected instanceof String)) {
        assertEquals(expected, found, () -> new String(line, StandardCharsets.UTF_8));
      }
    }
  }

  @Test
  void unescapesAsPythonDoes() {
    assertEquals(
        List.of(List.of("\"\\/\b\f\n\r\tA\u00e9汉\ud83d\ude00\0\uffff|"), List.of("汉a汉")),
        scan(
            "{\"t\\u0065xt\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00E9\\u6c49\\ud83D\\uDe00"
                + "\\u0000\\uffff|\", \"title\": \"汉\\u0061汉\"}"));
    assertEquals(
        List.of(List.of("b"), List.of("1", "", "2\n")),
        scan("{\"text\":5,\"title\":[\"1\",\"\",\"2\\n\"],\"text\":\"\\ud800\",\"text\":\"b\"}"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"INF", "-INF", "+INF", "+Infinity", "-NaN", "01", "1.", ".5", "+1", "1e"})
  void refusesNumbersThatPythonRefuses(String number) {
    assertTrue(scan("{\"text\":\"\",\"title\":\"\",\"x\":" + number + "}") instanceof String);
  }

  /** Depth is counted as Python does, lists and objects together. */
  @Test
  void refusesAThousandBracketsInAnObject() {
    String start = "{\"text\":\"\",\"title\":\"\",\"x\":";
    assertTrue(scan(start + "[".repeat(999) + "]".repeat(999) + "}") instanceof List);
    assertTrue(scan(start + "[".repeat(1000) + "]".repeat(1000) + "}") instanceof String);
    String nested = "[{\"a\":".repeat(499) + "[]" + "}]".repeat(499);
    assertTrue(scan(start + nested + "}") instanceof List);
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 1000})
  void findsTheEndOfStringsOfAnyLength(int length) {
    for (String unit : List.of("a", "é", "汉", "\ud83d\ude00", "汉a", "\u0800", "\ud7ff\ue000")) {
      String text = unit.repeat(length);
      assertEquals(
          List.of(List.of(text), List.of(text + "\n" + text)),
          scan("{\"text\":\"" + text + "\",\"title\":\"" + text + "\\n" + text + "\"}"));
    }
  }

  /** Every byte in every place among eight, inside a string. */
  @Test
  void knowsEveryByte() {
    for (int value = 0; value < 256; value++) {
      for (int place = 0; place < 16; place++) {
        byte[] line =
            ("{\"text\":\"" + "a".repeat(16) + "\",\"title\":[]}").getBytes(StandardCharsets.UTF_8);
        line[9 + place] = (byte) value;
        JsonLineScanner scanner = new JsonLineScanner(KEYS);
        if (value >= 0x20 && value < 0x80 && value != '"' && value != '\\') {
          assertTrue(scan(scanner, line, 0, line.length, line.length) instanceof List);
        } else {
          BadLine e = assertThrows(BadLine.class, () -> scanner.scan(line, 0, line.length));
          boolean ends = value == '"' || value == '\\'; // the place depends on what follows
          assertTrue(ends || e.at == 9 + place, e.found + " at " + e.at);
        }
      }
    }
  }
}
