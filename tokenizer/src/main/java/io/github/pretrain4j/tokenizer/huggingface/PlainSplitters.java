package io.github.pretrain4j.tokenizer.huggingface;

/** Splitters that need no regular expression. */
final class PlainSplitters {
  private PlainSplitters() {}

  /** The whole part as one pre-token. */
  record Whole() implements Splitter {
    @Override
    public int next(byte[] text, int from, int to) {
      return to;
    }
  }

  /** {@code Digits}: digits each on its own or together, and what is between them. */
  record Digits(TextScanner scanner, boolean individual) implements Splitter {
    @Override
    public int next(byte[] text, int from, int to) {
      boolean inside = scanner.isNumeric(text, from);
      int end = from;
      do {
        end += Utf8.length(text[end]);
      } while (end < to && !(inside && individual) && scanner.isNumeric(text, end) == inside);
      return end;
    }
  }

  /** What a text that is searched for becomes. */
  enum Behavior {
    /** A pre-token. */
    ISOLATED,
    /** The end of the pre-token before it; of two in a row, the second stays alone. */
    MERGED_WITH_PREVIOUS,
    /** The beginning of the pre-token after it; of two in a row, the first stays alone. */
    MERGED_WITH_NEXT
  }

  /** {@code Split} at a plain text. */
  static final class AtText implements Splitter {
    private final byte[] pattern;
    private final Behavior behavior;

    AtText(byte[] pattern, Behavior behavior) {
      this.pattern = pattern;
      this.behavior = behavior;
    }

    @Override
    public int next(byte[] text, int from, int to) {
      boolean match = TextStep.startsWith(text, from, to, pattern);
      int after = match ? from + pattern.length : from;
      if (match && (behavior != Behavior.MERGED_WITH_NEXT || after == to)) {
        return after;
      }
      int following = TextStep.find(text, after, to, pattern);
      if (following < 0) {
        return to;
      }
      if (match) {
        return following == after ? after : following;
      }
      return behavior == Behavior.MERGED_WITH_PREVIOUS ? following + pattern.length : following;
    }
  }

  /** Several splitters, each cutting what the one before it left whole. Not thread-safe. */
  static final class Nested {
    private final Splitter[] splitters;
    private final int[] ends;

    Nested(Splitter[] splitters) {
      this.splitters = splitters;
      this.ends = new int[splitters.length];
    }

    /** Begins a new part. */
    void reset() {
      java.util.Arrays.fill(ends, -1);
    }

    int next(byte[] text, int from, int to) {
      int limit = to;
      for (int i = 0; i < ends.length; i++) {
        if (ends[i] <= from) {
          ends[i] = splitters[i].next(text, from, limit);
        }
        limit = ends[i];
      }
      return limit;
    }
  }
}
