package io.github.pretrain4j.tokenizer.huggingface;

/**
 * The runs of characters that pre-tokens are made of. Immutable.
 *
 * <p>Each method takes a place {@code at} in {@code [.., to)} and returns the end of a run that
 * begins there, which may be {@code at} itself. ASCII letters go eight at a time.
 */
final class TextScanner {
  private static final long ONES = 0x0101010101010101L;
  private static final long HIGH_BITS = 0x8080808080808080L;
  private static final long LOW_BITS = 0x7F * ONES;
  private static final long CASE_BITS = 0x20 * ONES;

  // For shortWord: minus the shortest length of a word that begins with a byte.
  static final byte LETTER_STARTS = -1;
  static final byte OTHER_STARTS = -2;
  static final byte STARTS_NO = -9;

  private final UnicodeTables unicode;

  /** The kinds of U+0000 to U+007F. */
  private final byte[] ascii = new byte[128];

  TextScanner(UnicodeTables unicode) {
    this.unicode = unicode;
    for (int i = 0; i < ascii.length; i++) {
      ascii[i] = (byte) unicode.kind(i);
    }
  }

  /** The kind of the character at a place, see {@link UnicodeTables}. */
  int kind(byte[] text, int at) {
    int b = text[at];
    return b >= 0 ? ascii[b] : kindBeyondAscii(text, at);
  }

  private int kindBeyondAscii(byte[] text, int at) {
    int lead = text[at] & 0xFF;
    if (lead >= 0xE5 && lead <= 0xE8) {
      return UnicodeTables.LETTER; // U+5000 to U+8FFF
    }
    return unicode.kind(Utf8.codePoint(text, at));
  }

  /**
   * End of the short ASCII word at {@code at}: one byte that {@code starts} knows and up to seven
   * letters, ended by another ASCII byte. -1 if it is not that simple.
   *
   * @param starts of each byte, {@link #LETTER_STARTS}, {@link #OTHER_STARTS} or {@link #STARTS_NO}
   */
  static int shortWord(byte[] text, int at, int to, byte[] starts) {
    long bytes = (long) Utf8.LONG.get(text, at);
    long ending = notAsciiLetters(bytes) & ~0xFFL;
    int length = Long.numberOfTrailingZeros(ending) >>> 3;
    boolean simple =
        length + starts[(int) bytes & 0xFF] >= 0
            && (ending & -ending & bytes) == 0
            && at + length <= to;
    return simple && length < 8 ? at + length : -1;
  }

  /** End of a run of letters. */
  int letters(byte[] text, int at, int to) {
    int end = at;
    while (true) {
      long others = notAsciiLetters((long) Utf8.LONG.get(text, end));
      if (others == 0) {
        end += 8;
        if (end < to) {
          continue;
        }
        return to;
      }
      end += Long.numberOfTrailingZeros(others) >>> 3;
      if (end >= to) {
        return to;
      }
      if (text[end] >= 0 || kindBeyondAscii(text, end) != UnicodeTables.LETTER) {
        return end;
      }
      end += Utf8.length(text[end]);
      // Letters beyond ASCII come in runs.
      while (end < to && text[end] < 0) {
        if (kindBeyondAscii(text, end) != UnicodeTables.LETTER) {
          return end;
        }
        end += Utf8.length(text[end]);
      }
      if (end >= to) {
        return to;
      }
    }
  }

  /** The high bit of each byte that is no ASCII letter. */
  private static long notAsciiLetters(long bytes) {
    long folded = (bytes | CASE_BITS) & LOW_BITS;
    long fromA = folded + (0x80 - 'a') * ONES;
    long behindZ = folded + (0x7F - 'z') * ONES;
    return ~(fromA & ~behindZ & ~bytes) & HIGH_BITS;
  }

  /** End of a run of at most {@code most} numbers. */
  int numbers(byte[] text, int at, int to, int most) {
    int end = at;
    for (int i = 0; i < most && end < to && kind(text, end) == UnicodeTables.NUMBER; i++) {
      end += Utf8.length(text[end]);
    }
    return end;
  }

  /** End of a run of what is neither white space nor letter nor number. */
  int others(byte[] text, int at, int to) {
    int end = at;
    while (end < to && isOther(kind(text, end))) {
      end += Utf8.length(text[end]);
    }
    return end;
  }

  static boolean isOther(int kind) {
    return kind != UnicodeTables.LETTER
        && kind != UnicodeTables.NUMBER
        && kind < UnicodeTables.SPACE;
  }

  /** End of a run of CR and LF. */
  int newlines(byte[] text, int at, int to) {
    int end = at;
    while (end < to && (text[end] == '\n' || text[end] == '\r')) {
      end++;
    }
    return end;
  }

  /**
   * End of the white space that begins at {@code at} by the rules {@code \s*[\r\n]+}, {@code
   * \s+(?!\S)} and {@code \s+}, in this order; the first of them only if {@code breaks}.
   */
  int whiteSpace(byte[] text, int at, int to, boolean breaks) {
    int end = at;
    int last = at;
    int afterNewline = at;
    while (end < to) {
      int kind = kind(text, end);
      if (kind < UnicodeTables.SPACE) {
        break;
      }
      last = end;
      end += Utf8.length(text[end]);
      if (kind == UnicodeTables.NEWLINE) {
        afterNewline = end;
      }
    }
    if (breaks && afterNewline > at) {
      return afterNewline;
    }
    return end == to || last == at ? end : last;
  }

  /**
   * End of a contraction {@code 's 't 're 've 'm 'll 'd} at an apostrophe, or {@code at} if there
   * is none. Without regard to case, U+017F counts as an s.
   */
  static int contraction(byte[] text, int at, int to, boolean ignoreCase) {
    if (at + 1 >= to) {
      return at;
    }
    int fold = ignoreCase ? 0x20 : 0;
    int first = text[at + 1] | fold;
    if (first == 's' || first == 't' || first == 'm' || first == 'd') {
      return at + 2;
    }
    if (at + 2 >= to) {
      return at;
    }
    int second = text[at + 2] | fold;
    boolean two =
        ((first == 'r' || first == 'v') && second == 'e') || (first == 'l' && second == 'l');
    boolean longS = ignoreCase && text[at + 1] == (byte) 0xC5 && text[at + 2] == (byte) 0xBF;
    return two || longS ? at + 3 : at;
  }

  /** End of a run of letters and marks. */
  int lettersAndMarks(byte[] text, int at, int to) {
    int end = at;
    while (end < to && isLetterOrMark(kind(text, end))) {
      end += Utf8.length(text[end]);
    }
    return end;
  }

  static boolean isLetterOrMark(int kind) {
    return kind == UnicodeTables.LETTER || kind == UnicodeTables.MARK;
  }

  /** End of a run of punctuation and symbols. */
  int signs(byte[] text, int at, int to) {
    int end = at;
    while (end < to && isSign(kind(text, end))) {
      end += Utf8.length(text[end]);
    }
    return end;
  }

  static boolean isSign(int kind) {
    return kind == UnicodeTables.PUNCTUATION || kind == UnicodeTables.SYMBOL;
  }

  /** Whether {@code Digits} takes the character at a place for a digit. */
  boolean isNumeric(byte[] text, int at) {
    return (unicode.properties(Utf8.codePoint(text, at)) & UnicodeTables.NUMERIC) != 0;
  }
}
