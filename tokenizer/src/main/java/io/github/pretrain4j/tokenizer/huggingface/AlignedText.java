package io.github.pretrain4j.tokenizer.huggingface;

import java.util.Arrays;

/**
 * A part of a text on its way through the normaliser, where each byte knows which code points of
 * the original text it came from. Used only where offsets are asked for.
 *
 * <p>The rules are the reference program's, odd ones included: a character that takes the place of
 * several has the place of the first of them, an inserted one that of the character before it.
 */
final class AlignedText {
  private byte[] bytes;
  private int length;
  private int[] begins;
  private int[] ends;

  /**
   * A part as it is in the text.
   *
   * @param firstCodePoint how many code points are before it
   */
  AlignedText(byte[] text, int from, int to, int firstCodePoint) {
    length = to - from;
    bytes = Arrays.copyOfRange(text, from, to + Bytes.PADDING);
    Arrays.fill(bytes, length, bytes.length, (byte) 0);
    begins = new int[length];
    ends = new int[length];
    int codePoint = firstCodePoint - 1;
    for (int i = 0; i < length; i++) {
      if (!Utf8.isContinuation(bytes[i])) {
        codePoint++;
      }
      begins[i] = codePoint;
      ends[i] = codePoint + 1;
    }
  }

  private AlignedText(AlignedText whole, int from, int to) {
    length = to - from;
    bytes = Arrays.copyOfRange(whole.bytes, from, to + Bytes.PADDING);
    Arrays.fill(bytes, length, bytes.length, (byte) 0);
    begins = Arrays.copyOfRange(whole.begins, from, to);
    ends = Arrays.copyOfRange(whole.ends, from, to);
  }

  AlignedText slice(int from, int to) {
    return new AlignedText(this, from, to);
  }

  /** The text, with zeros behind it. */
  byte[] bytes() {
    return bytes;
  }

  int length() {
    return length;
  }

  /** The first code point that byte {@code at} came from. */
  int begin(int at) {
    return begins[at];
  }

  /** The code point after those that byte {@code at} came from. */
  int end(int at) {
    return ends[at];
  }

  void prepend(byte[] prefix) {
    Rewriter rewriter = rewriter();
    int prefixCharacters = 0;
    for (int at = 0; at < prefix.length; at += Utf8.length(prefix[at])) {
      rewriter.emit(Utf8.codePoint(prefix, at), prefixCharacters++ == 0 ? 0 : 1);
    }
    rewriter.emit(Utf8.codePoint(bytes, 0), 1);
    rewriter.copy(rewriter.source, length);
    rewriter.finish();
  }

  void replace(byte[] pattern, byte[] content) {
    Rewriter rewriter = rewriter();
    int at = TextStep.find(bytes, 0, length, pattern);
    while (at >= 0) {
      rewriter.copy(rewriter.source, at);
      rewriter.source = at + pattern.length;
      for (int i = 0; i < content.length; i += Utf8.length(content[i])) {
        rewriter.emit(Utf8.codePoint(content, i), 1);
      }
      at = TextStep.find(bytes, rewriter.source, length, pattern);
    }
    rewriter.copy(rewriter.source, length);
    rewriter.finish();
  }

  Rewriter rewriter() {
    return new Rewriter();
  }

  /** Writes a new text in place of the old one, from its beginning to its end. */
  final class Rewriter {
    private final Bytes out = new Bytes();
    private int[] newBegins = new int[length + 16];
    private int[] newEnds = new int[length + 16];

    /** The first byte of the old text that has not been replaced. */
    private int source;

    /**
     * Writes a character.
     *
     * @param change 1: it is inserted; 0: it replaces one; negative: it replaces so many more
     */
    void emit(int codePoint, int change) {
      int from = change > 0 ? source - 1 : source;
      int begin = from < 0 ? 0 : begins[from];
      int end = from < 0 ? 0 : ends[from];
      for (int i = change; i <= 0; i++) {
        source += Utf8.length(bytes[source]);
      }
      int at = out.length;
      out.addCodePoint(codePoint);
      ensure(out.length);
      Arrays.fill(newBegins, at, out.length, begin);
      Arrays.fill(newEnds, at, out.length, end);
    }

    private void copy(int from, int to) {
      ensure(out.length + to - from);
      System.arraycopy(begins, from, newBegins, out.length, to - from);
      System.arraycopy(ends, from, newEnds, out.length, to - from);
      out.add(bytes, from, to);
      source = to;
    }

    private void ensure(int size) {
      if (size > newBegins.length) {
        newBegins = Arrays.copyOf(newBegins, size + (size >> 1));
        newEnds = Arrays.copyOf(newEnds, size + (size >> 1));
      }
    }

    void finish() {
      length = out.length;
      bytes = Arrays.copyOf(out.array, length + Bytes.PADDING);
      Arrays.fill(bytes, length, bytes.length, (byte) 0);
      begins = Arrays.copyOf(newBegins, length);
      ends = Arrays.copyOf(newEnds, length);
    }
  }
}
