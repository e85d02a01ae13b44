package io.github.pretrain4j.tokenizer.sentencepiece;

import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.ObjLongConsumer;
import org.jspecify.annotations.Nullable;

/**
 * The text of a training, cut into <i>words</i> that no piece may cross, each kept once with its
 * count: at spaces, where the script changes, around digits and user-defined symbols, as the
 * configuration says.
 */
final class TrainingWords {
  private static final int NO_CLASS = -1;

  /** Of a digit that must be a piece of its own. */
  private static final int DIGIT_ALONE = -2;

  private static final int ASCII_CLASSES = 128;

  private final BpeTrainerConfig config;
  private final Normalizer normalizer;
  private final @Nullable UserSymbols userSymbols;
  private final Map<String, long[]> counts = new LinkedHashMap<>();
  private final Map<Character.UnicodeScript, Integer> classOfScript =
      new EnumMap<>(Character.UnicodeScript.class);
  private final int[] classOfAscii = new int[ASCII_CLASSES];

  TrainingWords(BpeTrainerConfig config, Normalizer normalizer) {
    this.config = config;
    this.normalizer = normalizer;
    List<SentencePieceModel.Piece> symbols = new ArrayList<>();
    for (String symbol : config.userDefinedSymbols()) {
      symbols.add(new SentencePieceModel.Piece(symbol, 0, PieceType.USER_DEFINED));
    }
    this.userSymbols = UserSymbols.of(symbols);
    for (Character.UnicodeScript script : Character.UnicodeScript.values()) {
      classOfScript.put(script, classOfScript.size());
    }
    for (int c = 0; c < ASCII_CLASSES; c++) {
      classOfAscii[c] = scriptClass(c);
    }
  }

  /** Takes a text, line by line. */
  void add(String text) {
    int from = 0;
    for (int i = 0; i <= text.length(); i++) {
      if (i == text.length() || text.charAt(i) == '\n' || text.charAt(i) == '\r') {
        if (i > from) {
          addLine(normalizer.normalize(text.substring(from, i)));
        }
        from = i + 1;
      }
    }
  }

  private void addLine(String line) {
    char[] text = line.toCharArray();
    int start = 0;
    int previous = NO_CLASS;
    boolean previousSpace = false;
    for (int i = 0; i < text.length; ) {
      long user = userSymbols == null ? 0 : userSymbols.longestPrefix(text, i, text.length);
      if (user != 0) {
        count(text, start, i);
        i += (int) (user >>> 32);
        start = i;
        previous = NO_CLASS;
        previousSpace = false;
        continue;
      }
      int codePoint = Utf8.codePointAt(text, i, text.length);
      boolean space = codePoint == Normalizer.ESCAPED_SPACE;
      int next = space ? NO_CLASS : classOf(codePoint, previous);
      if (i > start && cutBefore(space, previousSpace, previous, next)) {
        count(text, start, i);
        start = i;
      }
      previousSpace = space;
      boolean keepsClass = space && !config.splitByWhitespace() && previous != DIGIT_ALONE;
      previous = keepsClass ? previous : next;
      i += Character.charCount(codePoint);
    }
    count(text, start, text.length);
  }

  private boolean cutBefore(boolean space, boolean previousSpace, int previous, int next) {
    if (previous == DIGIT_ALONE || next == DIGIT_ALONE) {
      return true;
    }
    if (space) {
      return config.splitByWhitespace() && !(previousSpace && config.allowWhitespaceOnlyPieces());
    }
    return previous != NO_CLASS && next != NO_CLASS && previous != next;
  }

  /** Characters of different classes do not share a piece, unless one has {@link #NO_CLASS}. */
  private int classOf(int codePoint, int previous) {
    if (codePoint < ASCII_CLASSES) {
      return classOfAscii[codePoint];
    }
    if (!config.splitByUnicodeScript()) {
      return NO_CLASS;
    }
    Character.UnicodeScript script = Character.UnicodeScript.of(codePoint);
    return script == Character.UnicodeScript.INHERITED ? previous : scriptClass(codePoint);
  }

  private int scriptClass(int codePoint) {
    boolean digit = codePoint >= '0' && codePoint <= '9';
    if (digit && config.splitDigits()) {
      return DIGIT_ALONE;
    }
    if (!config.splitByUnicodeScript() || (digit && !config.splitByNumber())) {
      return NO_CLASS;
    }
    Character.UnicodeScript script = Character.UnicodeScript.of(codePoint);
    boolean kana =
        script == Character.UnicodeScript.HIRAGANA
            || script == Character.UnicodeScript.KATAKANA
            || codePoint == 0x30FC;
    return classOfScript.getOrDefault(kana ? Character.UnicodeScript.HAN : script, NO_CLASS);
  }

  private void count(char[] text, int from, int to) {
    if (to > from) {
      String word = new String(text, from, to - from);
      counts.computeIfAbsent(word, w -> new long[1])[0]++;
    }
  }

  /** All words with their counts, in the order of their first appearance. */
  void forEach(ObjLongConsumer<String> action) {
    counts.forEach((word, count) -> action.accept(word, count[0]));
  }

  /**
   * The most frequent characters that make up the wanted share of the text, most frequent first,
   * code point order on a tie.
   */
  List<Integer> frequentCharacters() {
    Map<Integer, long[]> byCharacter = new HashMap<>();
    long[] total = {0};
    forEach(
        (word, count) -> {
          for (int i = 0; i < word.length(); ) {
            int codePoint = word.codePointAt(i);
            i += Character.charCount(codePoint);
            if (codePoint != 0 && codePoint != ' ') {
              byCharacter.computeIfAbsent(codePoint, c -> new long[1])[0] += count;
              total[0] += count;
            }
          }
        });
    List<Integer> sorted = new ArrayList<>(byCharacter.keySet());
    sorted.sort(
        (a, b) -> {
          int byCount = Long.compare(count(byCharacter, b), count(byCharacter, a));
          return byCount != 0 ? byCount : Integer.compare(a, b);
        });
    long covered = 0;
    int kept = 0;
    while (kept < sorted.size() && covered < config.characterCoverage() * total[0]) {
      covered += count(byCharacter, sorted.get(kept++));
    }
    return sorted.subList(0, kept);
  }

  private static long count(Map<Integer, long[]> counts, int codePoint) {
    return counts.getOrDefault(codePoint, new long[1])[0];
  }
}
