package io.github.pretrain4j.tokenizer.sentencepiece;

import io.github.pretrain4j.tokenizer.CorruptTokenizerException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * Prepares text for a model: character rules, white space, the dummy prefix. Immutable.
 *
 * <p>UTF-8 in, <i>prepared text</i> out: well-formed UTF-8 in which, if the model escapes spaces,
 * each U+2581 is written as one space byte, be it an escaped space or one of the text, which the
 * model cannot tell apart. A malformed byte of the input becomes U+FFFD and is subject to no rule.
 * Only U+0020 is a space; tabs and line ends stay unless a rule maps them.
 */
final class Normalizer {
  /** What a space is written as in pieces: U+2581. */
  static final char ESCAPED_SPACE = '\u2581';

  private static final int ASCII = 128;
  private static final byte[] REPLACEMENT = {(byte) 0xEF, (byte) 0xBF, (byte) 0xBD};
  static final byte[] ESCAPED = {(byte) 0xE2, (byte) 0x96, (byte) 0x81};

  private final boolean addDummyPrefix;
  private final boolean removeExtraWhitespaces;
  private final boolean escapeWhitespaces;
  private final boolean whitespaceAsSuffix;
  private final @Nullable CharsMap rules;
  private final @Nullable PieceTrie userSymbols;

  /** ASCII characters that stand for themselves before an ASCII character and at the end. */
  private final boolean[] isPlain = new boolean[ASCII];

  private Normalizer(
      NormalizerSpec spec,
      boolean whitespaceAsSuffix,
      @Nullable CharsMap rules,
      @Nullable PieceTrie userSymbols) {
    this.addDummyPrefix = spec.addDummyPrefix;
    this.removeExtraWhitespaces = spec.removeExtraWhitespaces;
    this.escapeWhitespaces = spec.escapeWhitespaces;
    this.whitespaceAsSuffix = whitespaceAsSuffix;
    this.rules = rules;
    this.userSymbols = userSymbols;
    for (int c = 0; c < ASCII; c++) {
      isPlain[c] = isPlain(c);
    }
  }

  private boolean isPlain(int c) {
    byte[] two = {(byte) c, 0};
    boolean plain =
        !mayBeginUserSymbol(two[0]) && (rules == null || rules.longestPrefix(two, 0, 1) < 0);
    for (int next = 1; next < ASCII && plain && rules != null; next++) {
      two[1] = (byte) next;
      plain = !rules.reaches(two, 2);
    }
    return plain;
  }

  private boolean mayBeginUserSymbol(byte first) {
    return userSymbols != null && userSymbols.child(PieceTrie.ROOT, first) != PieceTrie.NO_NODE;
  }

  /**
   * A normaliser.
   *
   * @param userSymbols pieces that no rule may touch, with the bytes they have in plain text
   */
  static Normalizer of(
      NormalizerSpec spec, boolean whitespaceAsSuffix, @Nullable PieceTrie userSymbols, Path file)
      throws CorruptTokenizerException {
    CharsMap rules = CharsMap.read(spec.precompiledCharsmap, file);
    return new Normalizer(spec, whitespaceAsSuffix, rules, userSymbols);
  }

  /** The text as the model's pieces are written, U+2581 where a space was escaped. */
  String normalize(String text) {
    ByteText in = ByteText.create();
    in.append(text);
    ByteText out = ByteText.create();
    normalize(in.bytes, 0, in.length, out);
    return asPieces(out.bytes, 0, out.length);
  }

  /** Prepared text as the model's pieces are written. */
  String asPieces(byte[] prepared, int from, int to) {
    String text = new String(prepared, from, to - from, StandardCharsets.UTF_8);
    return escapeWhitespaces ? text.replace(' ', ESCAPED_SPACE) : text;
  }

  /** Whether a space byte of prepared text means U+2581. */
  boolean escapesSpaces() {
    return escapeWhitespaces;
  }

  /**
   * Whether preparing only puts a space before the text or behind it: {@link #frame} will do, if
   * the text is well formed. A U+2581 of the text then stays as it is, for the reader to take as a
   * space.
   */
  boolean isIdentity() {
    return rules == null && !removeExtraWhitespaces;
  }

  /** Prepares a text for which there is nothing to do but the dummy prefix. */
  void frame(byte[] text, int from, int to, ByteText out) {
    out.clear();
    int length = to - from;
    out.reserve((int) Math.min(ByteText.MAX_BYTES, length + 1L));
    int n = 0;
    if (length > 0 && addDummyPrefix && !whitespaceAsSuffix) {
      out.bytes[n++] = ' ';
    }
    out.reserve((int) Math.min(ByteText.MAX_BYTES + 1L, n + length + 1L));
    System.arraycopy(text, from, out.bytes, n, length);
    n += length;
    if (length > 0 && addDummyPrefix && whitespaceAsSuffix) {
      out.bytes[n++] = ' ';
    }
    out.length = n;
  }

  /** Prepares {@code text[from, to)}. */
  void normalize(byte[] text, int from, int to, ByteText out) {
    out.clear();
    out.reserve((int) Math.min(ByteText.MAX_BYTES, to - from + 1L));
    if (from < to) {
      new Pass(text, from, to, out).run();
    }
  }

  /** One walk over a text, step by step; a step replaces {@code consumed} bytes by a slice. */
  private final class Pass {
    private final byte[] text;
    private final int start;
    private final int end;
    private final ByteText out;

    private int consumed;
    private byte[] slice;
    private int sliceFrom;
    private int sliceTo;

    Pass(byte[] text, int start, int end, ByteText out) {
      this.text = text;
      this.slice = text;
      this.start = start;
      this.end = end;
      this.out = out;
    }

    void run() {
      int at = start;
      if (removeExtraWhitespaces) {
        while (at < end) {
          step(at);
          if (sliceTo - sliceFrom != 1 || slice[sliceFrom] != ' ') {
            break;
          }
          at += consumed;
        }
        if (at == end) {
          out.end(at - start);
          return;
        }
      }
      if (addDummyPrefix && !whitespaceAsSuffix) {
        out.append((byte) ' ', at - start);
      }
      at = body(at);
      int finish = at - start;
      if (removeExtraWhitespaces) {
        finish = dropTrailingSpaces(finish);
      }
      if (addDummyPrefix && whitespaceAsSuffix) {
        out.append((byte) ' ', finish);
      }
      out.reserve(1);
      out.end(finish);
    }

    private int body(int from) {
      int at = from;
      boolean afterSpace = removeExtraWhitespaces;
      while (at < end) {
        int plain = plainEnd(at);
        if (plain > at) {
          appendPlain(at, plain);
          afterSpace = false;
          at = plain;
        } else if (text[at] == ' ' && isPlain[' '] && isBeforeAscii(at)) {
          if (!afterSpace) {
            out.append((byte) ' ', at - start);
          }
          afterSpace = removeExtraWhitespaces;
          at++;
        } else {
          step(at);
          while (afterSpace && sliceFrom < sliceTo && slice[sliceFrom] == ' ') {
            sliceFrom++;
          }
          if (sliceFrom < sliceTo) {
            appendSlice(at - start);
            afterSpace = slice[sliceTo - 1] == ' ';
          }
          afterSpace &= removeExtraWhitespaces;
          at += consumed;
        }
      }
      return at;
    }

    private boolean isBeforeAscii(int at) {
      return at + 1 == end || text[at + 1] >= 0;
    }

    /** The end of the characters from {@code from} that stay as they are and are no spaces. */
    private int plainEnd(int from) {
      int at = from;
      while (at < end) {
        byte lead = text[at];
        if (lead >= 0) {
          if (lead == ' ' || !isPlain[lead] || !isBeforeAscii(at)) {
            return at;
          }
          at++;
        } else {
          int length = Utf8.sequenceLength(text, at, end);
          boolean plain =
              length > 0
                  && !(length == 3 && isEscapedSpace(text, at))
                  && !(rules != null && rules.mayBegin(text, at, length))
                  && !mayBeginUserSymbol(lead);
          if (!plain) {
            return at;
          }
          at += length;
        }
      }
      return at;
    }

    private void appendPlain(int from, int to) {
      int count = to - from;
      out.reserve(count);
      System.arraycopy(text, from, out.bytes, out.length, count);
      if (out.origin != null) {
        int character = from;
        for (int i = from; i < to; i++) {
          character = (text[i] & 0xC0) == 0x80 ? character : i;
          out.origin[out.length + i - from] = character - start;
        }
      }
      out.length += count;
    }

    private void appendSlice(int from) {
      if (sliceTo - sliceFrom == 1) {
        out.append(slice[sliceFrom], from);
      } else if (!escapeWhitespaces) {
        out.append(slice, sliceFrom, sliceTo, from);
      } else {
        appendEscaped(from);
      }
    }

    /** Writes each U+2581 of the slice as a space. */
    private void appendEscaped(int from) {
      int copied = sliceFrom;
      for (int i = sliceFrom; i + 2 < sliceTo; i++) {
        if (isEscapedSpace(slice, i)) {
          out.append(slice, copied, i, from);
          out.append((byte) ' ', from);
          copied = i + 3;
          i += 2;
        }
      }
      out.append(slice, copied, sliceTo, from);
    }

    /** Where in the original the text ends without the spaces at its end. */
    private int dropTrailingSpaces(int originEnd) {
      int finish = originEnd;
      while (out.length > 0 && endsWithSpace()) {
        out.length--;
        finish = out.origin == null ? finish : out.origin[out.length];
      }
      return finish;
    }

    /**
     * The reference drops what a space is written as; without escaping that is a space byte too.
     */
    private boolean endsWithSpace() {
      return out.bytes[out.length - 1] == ' ';
    }

    /** User symbols come first and are exempt from the rules. */
    private void step(int at) {
      long symbol = userSymbols == null ? 0 : userSymbols.longestPrefix(text, at, end);
      if (symbol != 0) {
        take(text, at, at + (int) (symbol >>> 32), (int) (symbol >>> 32));
        return;
      }
      int length = Utf8.sequenceLength(text, at, end);
      if (length <= 0) {
        take(REPLACEMENT, 0, REPLACEMENT.length, 1);
        return;
      }
      long rule =
          rules == null || !rules.mayBegin(text, at, length)
              ? -1
              : rules.longestPrefix(text, at, end);
      if (rule >= 0 && rules != null) {
        byte[] replacements = rules.replacements();
        int from = (int) rule;
        int to = from;
        while (replacements[to] != 0) {
          to++;
        }
        take(replacements, from, to, (int) (rule >>> 32));
      } else {
        take(text, at, at + length, length);
      }
    }

    private void take(byte[] source, int from, int to, int consumedBytes) {
      slice = source;
      sliceFrom = from;
      sliceTo = to;
      consumed = consumedBytes;
    }
  }

  /** Whether U+2581 stands at an index, of three bytes that exist. */
  static boolean isEscapedSpace(byte[] text, int at) {
    return text[at] == ESCAPED[0] && text[at + 1] == ESCAPED[1] && text[at + 2] == ESCAPED[2];
  }
}
