package io.github.pretrain4j.tokenizer.huggingface;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.text.Normalizer;
import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The frozen tables against the JDK's: where both know a code point, they agree. */
class UnicodeTablesTest {
  private static final UnicodeTables TABLES = UnicodeTables.load();

  static LongStream seeds() {
    return Golden.seeds(50);
  }

  @Test
  void areWhatAJdkOfUnicode16Says() throws IOException {
    if (!UnicodeTablesWriter.jdkHasUnicode16()) {
      return; // the build also runs on a JDK that has
    }
    try (InputStream in = UnicodeTables.class.getResourceAsStream("unicode.bin")) {
      assertArrayEquals(UnicodeTablesWriter.bytes(), in.readAllBytes());
    }
  }

  @Test
  void agreeWithAnyJdkOnItsCodePoints() {
    for (int codePoint = 0; codePoint <= Character.MAX_CODE_POINT; codePoint++) {
      int type = Character.getType(codePoint);
      if (type == Character.UNASSIGNED || type == Character.SURROGATE) {
        continue;
      }
      String where = Integer.toHexString(codePoint);
      int kind = TABLES.kind(codePoint);
      assertEquals(Character.isLetter(codePoint), kind == UnicodeTables.LETTER, where);
      boolean number =
          type == Character.DECIMAL_DIGIT_NUMBER
              || type == Character.LETTER_NUMBER
              || type == Character.OTHER_NUMBER;
      assertEquals(number, kind == UnicodeTables.NUMBER, where);
      boolean space =
          Character.isSpaceChar(codePoint)
              || (codePoint >= 0x09 && codePoint <= 0x0D)
              || codePoint == 0x85;
      assertEquals(space, TABLES.isWhiteSpace(codePoint), where);
    }
  }

  /** Characters of Unicode 9, beyond which the reference program's normaliser knows nothing. */
  @ParameterizedTest(name = "-Dtest.seed={0}")
  @MethodSource("seeds")
  void normaliseAsTheJdkDoes(long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    int[][] ranges = {
      {0x41, 0x7A}, {0xC0, 0x17F}, {0x300, 0x345}, {0x360, 0x3FF}, {0x1E00, 0x1FFE},
      {0x900, 0x9CD}, {0x1100, 0x11FF}, {0xAC00, 0xAC40}, {0xF900, 0xFA0D}, {0x3041, 0x30FE},
      {0x1D15E, 0x1D164}, {0x2126, 0x212B}, {0x5B0, 0x5C2},
    };
    for (int i = 0; i < 2000; i++) {
      StringBuilder text = new StringBuilder();
      for (int n = random.nextInt(1, 12); n > 0; n--) {
        int[] range = ranges[random.nextInt(ranges.length)];
        text.appendCodePoint(random.nextInt(range[0], range[1] + 1));
      }
      String expected = Normalizer.normalize(text, Normalizer.Form.NFC);
      assertEquals(expected, nfc(text.toString()));
    }
  }

  /** What Unicode 13 and later compose, the reference program leaves alone. */
  @Test
  void knowNoLaterComposition() {
    String text = "\uD806\uDD35\uD806\uDD30";
    assertEquals(text, nfc(text));
  }

  private static String nfc(String text) {
    byte[] bytes = Arrays.copyOf(text.getBytes(StandardCharsets.UTF_8), 256);
    int length = text.getBytes(StandardCharsets.UTF_8).length;
    Nfc nfc = new Nfc(TABLES);
    if (!nfc.changes(bytes, 0, length, true)) {
      return text;
    }
    Bytes out = new Bytes();
    nfc.apply(bytes, 0, length, out);
    return new String(out.array, 0, out.length, StandardCharsets.UTF_8);
  }
}
