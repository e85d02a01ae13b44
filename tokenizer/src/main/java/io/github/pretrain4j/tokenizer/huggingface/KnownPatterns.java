package io.github.pretrain4j.tokenizer.huggingface;

import java.util.Arrays;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The regular expressions of {@code tokenizer.json} files that we know, each by its exact text, and
 * the splitters that do what they say.
 *
 * <p>Alternatives are tried in their order at each place. Comments give those of each expression
 * that a branch stands for.
 */
final class KnownPatterns {
  private static final String QWEN2 =
      "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}"
          + "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
  private static final String LLAMA3 =
      "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}"
          + "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
  private static final String GPT2 =
      "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
  private static final String THREE_NUMBERS = "\\p{N}{1,3}";
  private static final String EAST_ASIAN = "[一-龥\u3040-ゟ゠-ヿ]+";
  private static final String DEEPSEEK3 =
      "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+"
          + "|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+"
          + "| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+";

  private final Map<String, Splitter> byPattern;
  private final Splitter gpt2;

  KnownPatterns(UnicodeTables unicode) {
    TextScanner scanner = new TextScanner(unicode);
    gpt2 = new Gpt2(scanner);
    byPattern =
        Map.of(
            QWEN2,
            new Words(scanner, 1),
            LLAMA3,
            new Words(scanner, 3),
            GPT2,
            gpt2,
            THREE_NUMBERS,
            new Numbers(scanner, 3),
            EAST_ASIAN,
            new EastAsian(),
            DEEPSEEK3,
            new DeepSeek(scanner));
  }

  /** The splitter that isolates the matches of an expression; null if we do not know it. */
  @Nullable Splitter find(String pattern) {
    return byPattern.get(pattern);
  }

  /** The expression that is built into {@code ByteLevel}. */
  Splitter gpt2() {
    return gpt2;
  }

  /** Whether an expression matches everything, so that nothing lies between two matches. */
  static boolean coversAll(String pattern) {
    return pattern.equals(QWEN2) || pattern.equals(LLAMA3) || pattern.equals(GPT2);
  }

  /** Qwen2, Qwen3, Llama-3: they differ in how many numbers stay together. */
  static final class Words implements Splitter {
    private final TextScanner scanner;
    private final int mostNumbers;

    /** For {@link TextScanner#shortWord}: an apostrophe may begin a contraction instead. */
    private final byte[] starts = new byte[256];

    Words(TextScanner scanner, int mostNumbers) {
      this.scanner = scanner;
      this.mostNumbers = mostNumbers;
      Arrays.fill(starts, TextScanner.STARTS_NO);
      for (int b = 0; b < 128; b++) {
        int kind = scanner.kind(new byte[] {(byte) b}, 0);
        boolean alone = kind == UnicodeTables.NUMBER || kind == UnicodeTables.NEWLINE || b == '\'';
        starts[b] = alone ? TextScanner.STARTS_NO : TextScanner.OTHER_STARTS;
        if (kind == UnicodeTables.LETTER) {
          starts[b] = TextScanner.LETTER_STARTS;
        }
      }
    }

    @Override
    public int next(byte[] text, int from, int to) {
      int word = TextScanner.shortWord(text, from, to, starts);
      return word >= 0 ? word : other(text, from, to);
    }

    private int other(byte[] text, int from, int to) {
      int kind = scanner.kind(text, from);
      if (kind == UnicodeTables.LETTER) {
        return scanner.letters(text, from, to);
      }
      if (kind == UnicodeTables.NUMBER) {
        return scanner.numbers(text, from, to, mostNumbers);
      }
      if (kind == UnicodeTables.NEWLINE) {
        return scanner.whiteSpace(text, from, to, true);
      }
      if (text[from] == '\'') { // (?i:'s|'t|'re|'ve|'m|'ll|'d)
        int end = TextScanner.contraction(text, from, to, true);
        if (end > from) {
          return end;
        }
      }
      int after = from + Utf8.length(text[from]);
      if (after < to) {
        int nextKind = scanner.kind(text, after);
        if (nextKind == UnicodeTables.LETTER) { // [^\r\n\p{L}\p{N}]?\p{L}+
          return scanner.letters(text, after, to);
        }
        if (text[from] == ' ' && TextScanner.isOther(nextKind)) {
          return scanner.newlines(text, scanner.others(text, after, to), to);
        }
      }
      if (kind == UnicodeTables.SPACE) {
        return scanner.whiteSpace(text, from, to, true);
      }
      //  ?[^\s\p{L}\p{N}]+[\r\n]*
      return scanner.newlines(text, scanner.others(text, after, to), to);
    }
  }

  /** GPT-2, and whatever has a {@code ByteLevel} with {@code use_regex}. */
  static final class Gpt2 implements Splitter {
    private final TextScanner scanner;

    /** For {@link TextScanner#shortWord}. */
    private final byte[] starts = new byte[256];

    Gpt2(TextScanner scanner) {
      this.scanner = scanner;
      Arrays.fill(starts, TextScanner.STARTS_NO);
      starts[' '] = TextScanner.OTHER_STARTS;
      for (int b = 'A'; b <= 'Z'; b++) {
        starts[b] = TextScanner.LETTER_STARTS;
        starts[b | 0x20] = TextScanner.LETTER_STARTS;
      }
    }

    @Override
    public int next(byte[] text, int from, int to) {
      int word = TextScanner.shortWord(text, from, to, starts);
      return word >= 0 ? word : other(text, from, to);
    }

    private int other(byte[] text, int from, int to) {
      if (text[from] == '\'') { // 's|'t|'re|'ve|'m|'ll|'d
        int end = TextScanner.contraction(text, from, to, false);
        if (end > from) {
          return end;
        }
      }
      int begin = text[from] == ' ' && from + 1 < to ? from + 1 : from;
      int kind = scanner.kind(text, begin);
      if (kind == UnicodeTables.LETTER) { //  ?\p{L}+
        return scanner.letters(text, begin, to);
      }
      if (kind == UnicodeTables.NUMBER) { //  ?\p{N}+
        return scanner.numbers(text, begin, to, Integer.MAX_VALUE);
      }
      if (kind < UnicodeTables.SPACE) { //  ?[^\s\p{L}\p{N}]+
        return scanner.others(text, begin, to);
      }
      return scanner.whiteSpace(text, from, to, false);
    }
  }

  /** {@code \p{N}{1,n}}, isolated: such runs, and what is between them. */
  record Numbers(TextScanner scanner, int most) implements Splitter {
    @Override
    public int next(byte[] text, int from, int to) {
      int end = scanner.numbers(text, from, to, most);
      if (end > from) {
        return end;
      }
      while (end < to && scanner.kind(text, end) != UnicodeTables.NUMBER) {
        end += Utf8.length(text[end]);
      }
      return end;
    }
  }

  /** Runs of Chinese characters and kana, and what is between them. */
  record EastAsian() implements Splitter {
    @Override
    public int next(byte[] text, int from, int to) {
      boolean inside = isEastAsian(text, from);
      int end = from;
      do {
        end += Utf8.length(text[end]);
      } while (end < to && isEastAsian(text, end) == inside);
      return end;
    }

    private static boolean isEastAsian(byte[] text, int at) {
      int lead = text[at] & 0xFF;
      if (lead < 0xE3 || lead > 0xE9) {
        return false;
      }
      int codePoint = Utf8.codePoint(text, at);
      return (codePoint >= 0x4E00 && codePoint <= 0x9FA5)
          || (codePoint >= 0x3040 && codePoint <= 0x30FF);
    }
  }

  /** The last of DeepSeek-V3's three expressions. It leaves gaps, which are pre-tokens too. */
  record DeepSeek(TextScanner scanner) implements Splitter {
    @Override
    public int next(byte[] text, int from, int to) {
      int end = match(text, from, to);
      if (end > from) {
        return end;
      }
      do {
        end += Utf8.length(text[end]);
      } while (end < to && match(text, end, to) == end);
      return end;
    }

    /** End of the match at {@code from}, or {@code from} if there is none. */
    private int match(byte[] text, int from, int to) {
      int kind = scanner.kind(text, from);
      if (TextScanner.isLetterOrMark(kind)) {
        return scanner.lettersAndMarks(text, from, to);
      }
      int after = from + Utf8.length(text[from]);
      if (TextScanner.isSign(kind)) {
        // [!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+
        if (text[from] >= 0 && after < to && isAsciiLetter(text[after])) {
          int end = after;
          while (end < to && isAsciiLetter(text[end])) {
            end++;
          }
          return end;
        }
        return scanner.newlines(text, scanner.signs(text, after, to), to);
      }
      if (kind != UnicodeTables.NEWLINE && after < to) {
        int nextKind = scanner.kind(text, after);
        if (TextScanner.isLetterOrMark(nextKind)) { // [^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+
          return scanner.lettersAndMarks(text, after, to);
        }
        if (text[from] == ' ' && TextScanner.isSign(nextKind)) { //  ?[\p{P}\p{S}]+[\r\n]*
          return scanner.newlines(text, scanner.signs(text, after, to), to);
        }
      }
      return kind >= UnicodeTables.SPACE ? scanner.whiteSpace(text, from, to, true) : from;
    }

    private static boolean isAsciiLetter(byte b) {
      int folded = b | 0x20;
      return folded >= 'a' && folded <= 'z';
    }
  }
}
