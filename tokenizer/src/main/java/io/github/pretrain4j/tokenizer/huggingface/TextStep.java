package io.github.pretrain4j.tokenizer.huggingface;

/** A change of the text before it is cut into pre-tokens. Immutable. */
interface TextStep {

  /**
   * Whether {@link #apply(byte[], int, int, Bytes)} may change {@code [from, to)}, which is not
   * empty.
   *
   * @param first whether the part begins where the whole text does
   */
  boolean changes(byte[] text, int from, int to, boolean first);

  /** Appends the changed text; called only if {@link #changes} said so. */
  void apply(byte[] text, int from, int to, Bytes out);

  /** Makes the same change and keeps track of where each byte came from. */
  void apply(AlignedText text);

  /** Puts a text in front. */
  final class Prepend implements TextStep {
    private final byte[] prefix;
    private final Condition condition;

    /** When to do it. */
    enum Condition {
      ALWAYS,
      UNLESS_THERE,
      FIRST_UNLESS_THERE
    }

    Prepend(byte[] prefix, Condition condition) {
      this.prefix = prefix;
      this.condition = condition;
    }

    @Override
    public boolean changes(byte[] text, int from, int to, boolean first) {
      return switch (condition) {
        case ALWAYS -> true;
        case UNLESS_THERE -> !startsWith(text, from, to, prefix);
        case FIRST_UNLESS_THERE -> first && !startsWith(text, from, to, prefix);
      };
    }

    @Override
    public void apply(byte[] text, int from, int to, Bytes out) {
      out.add(prefix, 0, prefix.length);
      out.add(text, from, to);
    }

    @Override
    public void apply(AlignedText text) {
      text.prepend(prefix);
    }
  }

  /** Replaces each occurrence of a text by another. */
  final class Replace implements TextStep {
    private final byte[] pattern;
    private final byte[] content;

    Replace(byte[] pattern, byte[] content) {
      this.pattern = pattern;
      this.content = content;
    }

    @Override
    public boolean changes(byte[] text, int from, int to, boolean first) {
      return find(text, from, to, pattern) >= 0;
    }

    @Override
    public void apply(byte[] text, int from, int to, Bytes out) {
      int begin = from;
      for (int at = find(text, from, to, pattern); at >= 0; at = find(text, begin, to, pattern)) {
        out.add(text, begin, at);
        out.add(content, 0, content.length);
        begin = at + pattern.length;
      }
      out.add(text, begin, to);
    }

    @Override
    public void apply(AlignedText text) {
      text.replace(pattern, content);
    }
  }

  /** Where {@code pattern} begins in {@code [from, to)}, or -1. */
  static int find(byte[] text, int from, int to, byte[] pattern) {
    byte head = pattern[0];
    for (int at = from; at <= to - pattern.length; at++) {
      if (text[at] == head && startsWith(text, at, to, pattern)) {
        return at;
      }
    }
    return -1;
  }

  static boolean startsWith(byte[] text, int from, int to, byte[] pattern) {
    if (to - from < pattern.length) {
      return false;
    }
    for (int i = 0; i < pattern.length; i++) {
      if (text[from + i] != pattern[i]) {
        return false;
      }
    }
    return true;
  }
}
