package io.github.pretrain4j.tokenizer.sentencepiece;

/**
 * Where the rules of a training let no piece span: between characters of different scripts, around
 * digits, before spaces. Immutable.
 *
 * <p>A walk over a text carries the <i>class</i> of the character before: a script, or {@link
 * #NO_CLASS} of what goes with everything, or {@link #DIGIT_ALONE}.
 */
final class WordCutter {
  static final int NO_CLASS = -1;

  /** Of a digit that must be a piece of its own. */
  private static final int DIGIT_ALONE = -2;

  private static final int ASCII_CLASSES = 128;
  private static final int LONG_VOWEL_MARK = 0x30FC;

  private final PieceRules rules;
  private final ScriptTable scripts = ScriptTable.load();
  private final int inherited = scripts.number("INHERITED");
  private final int han = scripts.number("HAN");
  private final int hiragana = scripts.number("HIRAGANA");
  private final int katakana = scripts.number("KATAKANA");
  private final int[] classOfAscii = new int[ASCII_CLASSES];

  WordCutter(PieceRules rules) {
    this.rules = rules;
    for (int c = 0; c < ASCII_CLASSES; c++) {
      classOfAscii[c] = classAlone(c);
    }
  }

  /** The class to carry on after a character. */
  int classAfter(int codePoint, int previous) {
    if (codePoint == Normalizer.ESCAPED_SPACE) {
      boolean keeps = !rules.splitByWhitespace() && previous != DIGIT_ALONE;
      return keeps ? previous : NO_CLASS;
    }
    return classOf(codePoint, previous);
  }

  /**
   * Whether no piece may span the place before a character.
   *
   * @param previous class carried from the characters before
   * @param previousSpace whether the character before is a space
   */
  boolean cutsBefore(int codePoint, int previous, boolean previousSpace) {
    boolean space = codePoint == Normalizer.ESCAPED_SPACE;
    int next = space ? NO_CLASS : classOf(codePoint, previous);
    if (previous == DIGIT_ALONE || next == DIGIT_ALONE) {
      return true;
    }
    if (space) {
      return rules.splitByWhitespace() && !(previousSpace && rules.allowWhitespaceOnlyPieces());
    }
    return previous != NO_CLASS && next != NO_CLASS && previous != next;
  }

  /** Whether a string may be a piece of more than one character. */
  boolean allows(String text) {
    int length = text.codePointCount(0, text.length());
    if (length > rules.maxPieceLength()) {
      return false;
    }
    int carried = NO_CLASS;
    boolean previousSpace = false;
    int spaces = 0;
    for (int i = 0; i < text.length(); ) {
      int codePoint = text.codePointAt(i);
      if (i > 0 && cutsBefore(codePoint, carried, previousSpace)) {
        return false;
      }
      carried = classAfter(codePoint, carried);
      previousSpace = codePoint == Normalizer.ESCAPED_SPACE;
      spaces += previousSpace ? 1 : 0;
      i += Character.charCount(codePoint);
    }
    if (spaces == length) {
      return length == 1 || rules.allowWhitespaceOnlyPieces();
    }
    return rules.splitByWhitespace()
        ? text.lastIndexOf(Normalizer.ESCAPED_SPACE) <= 0
        : !previousSpace || length == 1;
  }

  private int classOf(int codePoint, int previous) {
    if (codePoint < ASCII_CLASSES) {
      return classOfAscii[codePoint];
    }
    boolean inherits = rules.splitByUnicodeScript() && scripts.script(codePoint) == inherited;
    return inherits ? previous : classAlone(codePoint);
  }

  private int classAlone(int codePoint) {
    boolean digit =
        (codePoint >= '0' && codePoint <= '9') || (codePoint >= 0xFF10 && codePoint <= 0xFF19);
    if (digit && rules.splitDigits()) {
      return DIGIT_ALONE;
    }
    if (!rules.splitByUnicodeScript() || (digit && !rules.splitByNumber())) {
      return NO_CLASS;
    }
    int script = scripts.script(codePoint);
    boolean kana = script == hiragana || script == katakana || codePoint == LONG_VOWEL_MARK;
    return kana ? han : script;
  }
}
