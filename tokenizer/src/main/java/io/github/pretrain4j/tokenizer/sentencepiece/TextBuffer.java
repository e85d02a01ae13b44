package io.github.pretrain4j.tokenizer.sentencepiece;

import java.util.Arrays;

/** UTF-16 text that grows. Not thread-safe. */
final class TextBuffer {
  /** Longest text we take: array sizes derived from it stay below 2^31. */
  static final int MAX_CHARS = 1 << 29;

  char[] chars;
  int length;

  TextBuffer(int capacity) {
    chars = new char[capacity];
  }

  void append(char c) {
    if (length == chars.length) {
      grow(1);
    }
    chars[length++] = c;
  }

  void append(char[] source, int from, int to) {
    int count = to - from;
    if (count > chars.length - length) {
      grow(count);
    }
    System.arraycopy(source, from, chars, length, count);
    length += count;
  }

  @Override
  public String toString() {
    return new String(chars, 0, length);
  }

  private void grow(int count) {
    long wanted = (long) length + count;
    if (wanted > MAX_CHARS) {
      throw new IllegalArgumentException("text longer than " + MAX_CHARS + " characters");
    }
    chars = Arrays.copyOf(chars, (int) Math.min(MAX_CHARS, 2 * wanted));
  }
}
