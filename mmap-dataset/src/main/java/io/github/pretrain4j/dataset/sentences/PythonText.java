package io.github.pretrain4j.dataset.sentences;

/**
 * Characters as Python's {@code str} and {@code re} see them. Classes and cases are those of the
 * Unicode version of the running JDK, as Python's are those of its own: characters that only the
 * newer of the two knows may differ.
 */
final class PythonText {
  private static final int CAPITAL_SIGMA = 0x3A3;
  private static final int CAPITAL_I_WITH_DOT = 0x130;

  private static final String PUNCTUATION_INSIDE_WORDS =
      "'.:\u00B7\u0387\u055F\u05F4\u2018\u2019\u2024\u2027\uFE13\uFE52\uFE55\uFF07\uFF0E\uFF1A";

  private PythonText() {}

  /** {@code \s}, {@code str.isspace}: what {@code strip} strips. All of them are single chars. */
  static boolean isSpace(char c) {
    if (c <= ' ') {
      return c == ' ' || (c >= '\t' && c <= '\r') || c >= 0x1C;
    }
    return c >= 0x85
        && (c == 0x85
            || c == 0xA0
            || c == 0x1680
            || (c >= 0x2000 && c <= 0x200A)
            || c == 0x2028
            || c == 0x2029
            || c == 0x202F
            || c == 0x205F
            || c == 0x3000);
  }

  /** {@code string.whitespace}. */
  static boolean isAsciiSpace(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
  }

  /** {@code \d}. */
  static boolean isDigit(int codePoint) {
    return codePoint < 0x80
        ? codePoint >= '0' && codePoint <= '9'
        : Character.getType(codePoint) == Character.DECIMAL_DIGIT_NUMBER;
  }

  /** {@code [^\W\d]}: letters, numbers that are no decimal digits, the underscore. */
  static boolean isAlphabetic(int codePoint) {
    if (codePoint == '_' || Character.isLetter(codePoint)) {
      return true;
    }
    int type = Character.getType(codePoint);
    return type == Character.LETTER_NUMBER || type == Character.OTHER_NUMBER;
  }

  /** {@code str.lower}: the full mapping, whose only context is that of a final sigma. */
  static String lower(String text, int from, int to) {
    int i = from;
    while (i < to && text.charAt(i) < 0x80 && !(text.charAt(i) >= 'A' && text.charAt(i) <= 'Z')) {
      i++;
    }
    if (i == to) {
      return text.substring(from, to);
    }
    StringBuilder out = new StringBuilder(to - from + 2).append(text, from, i);
    while (i < to) {
      int c = codePointAt(text, i, to);
      if (c == CAPITAL_SIGMA) {
        out.append(isFinalSigma(text, from, i, to) ? 'ς' : 'σ');
      } else if (c == CAPITAL_I_WITH_DOT) {
        out.append("i̇");
      } else {
        out.appendCodePoint(Character.toLowerCase(c));
      }
      i += Character.charCount(c);
    }
    return out.toString();
  }

  private static boolean isFinalSigma(String text, int from, int sigma, int to) {
    int before = sigma;
    int c = -1;
    while (before > from) {
      c = Character.codePointBefore(text, before);
      if (!isCaseIgnorable(c)) {
        break;
      }
      before -= Character.charCount(c);
    }
    if (before == from || !isCased(c)) {
      return false;
    }
    int after = sigma + 1;
    while (after < to) {
      c = codePointAt(text, after, to);
      if (!isCaseIgnorable(c)) {
        return !isCased(c);
      }
      after += Character.charCount(c);
    }
    return true;
  }

  /** The code point at an index, of a text that ends at {@code to}. */
  static int codePointAt(String text, int index, int to) {
    char c = text.charAt(index);
    return Character.isHighSurrogate(c) && index + 1 < to ? text.codePointAt(index) : c;
  }

  private static boolean isCased(int c) {
    return Character.isLowerCase(c) || Character.isUpperCase(c) || Character.isTitleCase(c);
  }

  /** Unicode's Case_Ignorable: Mn, Me, Cf, Lm, Sk, and the punctuation inside of words. */
  private static boolean isCaseIgnorable(int c) {
    return switch (Character.getType(c)) {
      case Character.NON_SPACING_MARK,
          Character.ENCLOSING_MARK,
          Character.FORMAT,
          Character.MODIFIER_LETTER,
          Character.MODIFIER_SYMBOL ->
          true;
      default -> PUNCTUATION_INSIDE_WORDS.indexOf(c) >= 0;
    };
  }
}
