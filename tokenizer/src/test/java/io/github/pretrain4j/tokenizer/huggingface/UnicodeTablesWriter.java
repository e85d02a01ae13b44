package io.github.pretrain4j.tokenizer.huggingface;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.text.Normalizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Makes {@code unicode.bin} from the tables of the JDK it runs on, which must have Unicode 16 (JDK
 * 24 or 25), less what the reference program does not know. {@code main} writes the file to its
 * argument.
 *
 * <p>The JDK tells canonical decompositions and compositions through {@link Normalizer}; combining
 * classes it tells only by how it orders two marks, which is all that normalisation needs.
 */
final class UnicodeTablesWriter {
  /** {@code Digits} of the reference program already knows these of Unicode 17. */
  private static final int[][] LATER_DIGITS = {{0x11DE0, 0x11DE9}, {0x16FF4, 0x16FF6}};

  /**
   * Combining marks since Unicode 10; the normaliser of the reference program takes them for
   * starters.
   */
  private static final int[][] LATER_MARKS = {
    {0x07FD, 0x07FD},
    {0x0897, 0x089F},
    {0x08CA, 0x08D3},
    {0x09FE, 0x09FE},
    {0x0C3C, 0x0C3C},
    {0x0D3B, 0x0D3C},
    {0x0EBA, 0x0EBA},
    {0x1715, 0x1715},
    {0x1ABF, 0x1ACE},
    {0x1DF6, 0x1DFA},
    {0xA82C, 0xA82C},
    {0x10D24, 0x10D27},
    {0x10D69, 0x10D6D},
    {0x10EAB, 0x10EAC},
    {0x10EFD, 0x10EFF},
    {0x10F46, 0x10F50},
    {0x10F82, 0x10F85},
    {0x11070, 0x11070},
    {0x1133B, 0x1133B},
    {0x113CE, 0x113D0},
    {0x1145E, 0x1145E},
    {0x11839, 0x1183A},
    {0x1193D, 0x1193E},
    {0x11943, 0x11943},
    {0x119E0, 0x119E0},
    {0x11A34, 0x11A34},
    {0x11A47, 0x11A47},
    {0x11A99, 0x11A99},
    {0x11D42, 0x11D42},
    {0x11D44, 0x11D45},
    {0x11D97, 0x11D97},
    {0x11F41, 0x11F42},
    {0x1612F, 0x1612F},
    {0x16FF0, 0x16FF1},
    {0x1E08F, 0x1E08F},
    {0x1E130, 0x1E136},
    {0x1E2AE, 0x1E2AE},
    {0x1E2EC, 0x1E2EF},
    {0x1E4EC, 0x1E4EF},
    {0x1E5EE, 0x1E5EF},
  };

  /** Characters with decompositions since Unicode 10. */
  private static final int[][] LATER_DECOMPOSITIONS = {
    {0x105C9, 0x105C9},
    {0x105E4, 0x105E4},
    {0x11383, 0x113C8},
    {0x11938, 0x11938},
    {0x16121, 0x16128},
    {0x16D68, 0x16D6A},
  };

  private static final int CODE_POINTS = Character.MAX_CODE_POINT + 1;

  private final ByteArrayOutputStream out = new ByteArrayOutputStream();

  private UnicodeTablesWriter() {}

  public static void main(String[] arguments) throws IOException {
    Files.write(Path.of(arguments[0]), bytes());
  }

  /** Whether the JDK has the right version: knows a letter of Unicode 16, and none of 17. */
  static boolean jdkHasUnicode16() {
    return Character.isLetter(0x1C89) && !Character.isDigit(0x11DE0);
  }

  static byte[] bytes() {
    if (!jdkHasUnicode16()) {
      throw new IllegalStateException("needs a JDK with Unicode 16");
    }
    UnicodeTablesWriter writer = new UnicodeTablesWriter();
    writer.runs(codePoint -> properties(codePoint));
    Map<Integer, Integer> ranks = combiningRanks();
    writer.runs(codePoint -> ranks.getOrDefault(codePoint, 0));
    writer.decompositions();
    return writer.out.toByteArray();
  }

  private void runs(java.util.function.IntUnaryOperator value) {
    for (int at = 0; at < CODE_POINTS; ) {
      int begin = at;
      int of = value.applyAsInt(at);
      while (at < CODE_POINTS && value.applyAsInt(at) == of) {
        at++;
      }
      number(at - begin);
      out.write(of);
    }
  }

  private void decompositions() {
    ByteArrayOutputStream counted = new ByteArrayOutputStream();
    UnicodeTablesWriter entries = new UnicodeTablesWriter();
    int count = 0;
    int previous = 0;
    for (int codePoint = 0; codePoint < CODE_POINTS; codePoint++) {
      String text = Character.toString(codePoint);
      boolean hangul = codePoint >= 0xAC00 && codePoint <= 0xD7A3;
      if (isSurrogate(codePoint) || hangul || in(LATER_DECOMPOSITIONS, codePoint)) {
        continue;
      }
      int[] parts = decompose(text).codePoints().toArray();
      if (Arrays.equals(parts, new int[] {codePoint})) {
        continue;
      }
      boolean composable = Normalizer.normalize(text, Normalizer.Form.NFC).equals(text);
      entries.number(codePoint - previous);
      entries.number(2 * parts.length + (composable ? 1 : 0));
      for (int part : parts) {
        entries.number(part);
      }
      previous = codePoint;
      count++;
    }
    number(count);
    counted.writeBytes(entries.out.toByteArray());
    out.writeBytes(counted.toByteArray());
  }

  private void number(int value) {
    int rest = value;
    while (rest >= 0x80) {
      out.write((rest & 0x7F) | 0x80);
      rest >>>= 7;
    }
    out.write(rest);
  }

  private static int properties(int codePoint) {
    if (isSurrogate(codePoint)) {
      return 0;
    }
    int type = Character.getType(codePoint);
    boolean mark = isMark(type);
    boolean word =
        Character.isAlphabetic(codePoint)
            || mark
            || type == Character.DECIMAL_DIGIT_NUMBER
            || type == Character.CONNECTOR_PUNCTUATION
            || codePoint == 0x200C
            || codePoint == 0x200D;
    int kind = kind(codePoint, type);
    boolean numeric = kind == UnicodeTables.NUMBER || in(LATER_DIGITS, codePoint);
    return kind | (word ? UnicodeTables.WORD : 0) | (numeric ? UnicodeTables.NUMERIC : 0);
  }

  private static boolean isMark(int type) {
    return type == Character.NON_SPACING_MARK
        || type == Character.ENCLOSING_MARK
        || type == Character.COMBINING_SPACING_MARK;
  }

  private static int kind(int codePoint, int type) {
    if (codePoint == '\r' || codePoint == '\n') {
      return UnicodeTables.NEWLINE;
    }
    if ((codePoint >= 0x09 && codePoint <= 0x0D) || codePoint == 0x85) {
      return UnicodeTables.SPACE;
    }
    return switch (type) {
      case Character.SPACE_SEPARATOR, Character.LINE_SEPARATOR, Character.PARAGRAPH_SEPARATOR ->
          UnicodeTables.SPACE;
      case Character.UPPERCASE_LETTER,
          Character.LOWERCASE_LETTER,
          Character.TITLECASE_LETTER,
          Character.MODIFIER_LETTER,
          Character.OTHER_LETTER ->
          UnicodeTables.LETTER;
      case Character.DECIMAL_DIGIT_NUMBER, Character.LETTER_NUMBER, Character.OTHER_NUMBER ->
          UnicodeTables.NUMBER;
      case Character.CONNECTOR_PUNCTUATION,
          Character.DASH_PUNCTUATION,
          Character.START_PUNCTUATION,
          Character.END_PUNCTUATION,
          Character.INITIAL_QUOTE_PUNCTUATION,
          Character.FINAL_QUOTE_PUNCTUATION,
          Character.OTHER_PUNCTUATION ->
          UnicodeTables.PUNCTUATION;
      case Character.MATH_SYMBOL,
          Character.CURRENCY_SYMBOL,
          Character.MODIFIER_SYMBOL,
          Character.OTHER_SYMBOL ->
          UnicodeTables.SYMBOL;
      default -> isMark(type) ? UnicodeTables.MARK : UnicodeTables.OTHER;
    };
  }

  private static boolean isSurrogate(int codePoint) {
    return codePoint >= Character.MIN_SURROGATE && codePoint <= Character.MAX_SURROGATE;
  }

  private static boolean in(int[][] ranges, int codePoint) {
    for (int[] range : ranges) {
      if (codePoint >= range[0] && codePoint <= range[1]) {
        return true;
      }
    }
    return false;
  }

  private static String decompose(String text) {
    return Normalizer.normalize(text, Normalizer.Form.NFD);
  }

  /**
   * Of each mark that is no starter and not decomposed, the rank of its combining class, from 1.
   */
  private static Map<Integer, Integer> combiningRanks() {
    List<Integer> marks = new ArrayList<>();
    for (int codePoint = 0x300; codePoint < CODE_POINTS; codePoint++) {
      if (isSurrogate(codePoint) || in(LATER_MARKS, codePoint)) {
        continue;
      }
      String mark = Character.toString(codePoint);
      boolean whole = decompose(mark).equals(mark);
      // U+0334 has the lowest class of all, U+0345 the highest.
      if (whole && (order(codePoint, 0x334) != 0 || order(codePoint, 0x345) != 0)) {
        marks.add(codePoint);
      }
    }
    marks.sort(UnicodeTablesWriter::order);
    Map<Integer, Integer> ranks = new HashMap<>();
    int rank = 0;
    for (int i = 0; i < marks.size(); i++) {
      if (i == 0 || order(marks.get(i - 1), marks.get(i)) != 0) {
        rank++;
      }
      ranks.put(marks.get(i), rank);
    }
    return ranks;
  }

  private static int order(int one, int other) {
    String oneFirst = "a" + Character.toString(one) + Character.toString(other);
    String otherFirst = "a" + Character.toString(other) + Character.toString(one);
    if (!decompose(oneFirst).equals(oneFirst)) {
      return 1;
    }
    return decompose(otherFirst).equals(otherFirst) ? 0 : -1;
  }
}
