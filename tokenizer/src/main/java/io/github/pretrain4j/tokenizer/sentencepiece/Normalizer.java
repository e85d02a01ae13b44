package io.github.pretrain4j.tokenizer.sentencepiece;

import io.github.pretrain4j.tokenizer.CorruptTokenizerException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * Prepares text for a model: character rules, white space, the dummy prefix. Immutable.
 *
 * <p>Works on UTF-16. A malformed byte of UTF-8 input arrives as the lone surrogate {@link
 * #MALFORMED_BYTE}; it becomes U+FFFD and, unlike a U+FFFD that was in the text, is subject to no
 * rule. Only U+0020 is a space; tabs and line ends stay unless a rule maps them.
 */
final class Normalizer {
  /** What a space is written as in pieces: U+2581. */
  static final char ESCAPED_SPACE = '\u2581';

  private static final char MALFORMED_BYTE = '\uDC00';

  private final boolean addDummyPrefix;
  private final boolean removeExtraWhitespaces;
  private final boolean escapeWhitespaces;
  private final boolean whitespaceAsSuffix;
  private final @Nullable CharsMap rules;
  private final @Nullable UserSymbols userSymbols;

  private Normalizer(
      NormalizerSpec spec,
      boolean whitespaceAsSuffix,
      @Nullable CharsMap rules,
      @Nullable UserSymbols userSymbols) {
    this.addDummyPrefix = spec.addDummyPrefix;
    this.removeExtraWhitespaces = spec.removeExtraWhitespaces;
    this.escapeWhitespaces = spec.escapeWhitespaces;
    this.whitespaceAsSuffix = whitespaceAsSuffix;
    this.rules = rules;
    this.userSymbols = userSymbols;
  }

  static Normalizer of(
      NormalizerSpec spec, boolean whitespaceAsSuffix, @Nullable UserSymbols userSymbols, Path file)
      throws CorruptTokenizerException {
    CharsMap rules = CharsMap.read(spec.precompiledCharsmap, file);
    return new Normalizer(spec, whitespaceAsSuffix, rules, userSymbols);
  }

  TextBuffer normalize(String text) {
    char[] chars = text.toCharArray();
    if (rules != null) {
      replaceLoneSurrogates(chars);
    }
    return normalize(chars, chars.length);
  }

  TextBuffer normalizeUtf8(byte[] utf8) {
    TextBuffer text = new TextBuffer(utf8.length);
    for (int i = 0; i < utf8.length; ) {
      int length = Utf8.sequenceLength(utf8, i, utf8.length);
      if (length <= 0) {
        text.append(MALFORMED_BYTE);
        i++;
      } else if (length < 4) {
        text.append((char) Utf8.codePoint(utf8, i, length));
        i += length;
      } else {
        int codePoint = Utf8.codePoint(utf8, i, length);
        text.append(Character.highSurrogate(codePoint));
        text.append(Character.lowSurrogate(codePoint));
        i += length;
      }
    }
    return normalize(text.chars, text.length);
  }

  private TextBuffer normalize(char[] text, int length) {
    if (length >= TextBuffer.MAX_CHARS) {
      throw new IllegalArgumentException(
          "text of " + length + " characters; at most " + (TextBuffer.MAX_CHARS - 1));
    }
    TextBuffer out = new TextBuffer(length + 1);
    if (length == 0) {
      return out;
    }
    if (rules == null && !removeExtraWhitespaces) {
      identity(text, length, out);
    } else {
      new Pass(text, length, out).run();
    }
    return out;
  }

  /** No rules and nothing to remove: only spaces are escaped. What Llama-like models need. */
  private void identity(char[] text, int length, TextBuffer out) {
    char space = escapeWhitespaces ? ESCAPED_SPACE : ' ';
    char[] target = out.chars;
    int n = 0;
    if (addDummyPrefix && !whitespaceAsSuffix) {
      target[n++] = space;
    }
    for (int i = 0; i < length; i++) {
      char c = text[i];
      if (c == ' ') {
        c = space;
      } else if (Character.isSurrogate(c)) {
        if (isPair(text, i, length)) {
          target[n++] = c;
          c = text[++i];
        } else {
          c = Utf8.REPLACEMENT;
        }
      }
      target[n++] = c;
    }
    if (addDummyPrefix && whitespaceAsSuffix) {
      target[n++] = space;
    }
    out.length = n;
  }

  private static boolean isPair(char[] text, int i, int length) {
    return Character.isHighSurrogate(text[i])
        && i + 1 < length
        && Character.isLowSurrogate(text[i + 1]);
  }

  private static void replaceLoneSurrogates(char[] text) {
    for (int i = 0; i < text.length; i++) {
      if (Character.isSurrogate(text[i])) {
        if (isPair(text, i, text.length)) {
          i++;
        } else {
          text[i] = Utf8.REPLACEMENT;
        }
      }
    }
  }

  /** One walk over a text, step by step; a step replaces {@code consumed} characters by a slice. */
  private final class Pass {
    private static final char[] MALFORMED = {Utf8.REPLACEMENT};

    private final char[] text;
    private final int length;
    private final TextBuffer out;
    private final char space = escapeWhitespaces ? ESCAPED_SPACE : ' ';

    private int consumed;
    private char[] slice;
    private int sliceFrom;
    private int sliceTo;

    Pass(char[] text, int length, TextBuffer out) {
      this.text = text;
      this.slice = text;
      this.length = length;
      this.out = out;
    }

    void run() {
      int at = 0;
      if (removeExtraWhitespaces) {
        while (at < length) {
          step(at);
          if (sliceTo - sliceFrom != 1 || slice[sliceFrom] != ' ') {
            break;
          }
          at += consumed;
        }
        if (at == length) {
          return;
        }
      }
      if (addDummyPrefix && !whitespaceAsSuffix) {
        out.append(space);
      }
      boolean afterSpace = removeExtraWhitespaces;
      while (at < length) {
        step(at);
        at += consumed;
        while (afterSpace && sliceFrom < sliceTo && slice[sliceFrom] == ' ') {
          sliceFrom++;
        }
        if (sliceFrom < sliceTo) {
          appendSlice();
          afterSpace = slice[sliceTo - 1] == ' ';
        }
        afterSpace &= removeExtraWhitespaces;
      }
      while (removeExtraWhitespaces && out.length > 0 && out.chars[out.length - 1] == space) {
        out.length--;
      }
      if (addDummyPrefix && whitespaceAsSuffix) {
        out.append(space);
      }
    }

    private void appendSlice() {
      int from = out.length;
      out.append(slice, sliceFrom, sliceTo);
      for (int i = from; i < out.length; i++) {
        if (out.chars[i] == ' ') {
          out.chars[i] = space;
        }
      }
    }

    /** User symbols come first and are exempt from the rules. */
    private void step(int at) {
      long symbol = userSymbols == null ? 0 : userSymbols.longestPrefix(text, at, length);
      if (symbol != 0) {
        take(text, at, at + (int) (symbol >>> 32), (int) (symbol >>> 32));
        return;
      }
      long rule = rules == null ? -1 : rules.longestPrefix(text, at, length);
      if (rule >= 0 && rules != null) {
        char[] replacements = rules.replacements();
        int from = (int) rule;
        int to = from;
        while (replacements[to] != 0) {
          to++;
        }
        take(replacements, from, to, (int) (rule >>> 32));
      } else if (!Character.isSurrogate(text[at])) {
        take(text, at, at + 1, 1);
      } else if (isPair(text, at, length)) {
        take(text, at, at + 2, 2);
      } else {
        take(MALFORMED, 0, 1, 1);
      }
    }

    private void take(char[] source, int from, int to, int consumedChars) {
      slice = source;
      sliceFrom = from;
      sliceTo = to;
      consumed = consumedChars;
    }
  }
}
