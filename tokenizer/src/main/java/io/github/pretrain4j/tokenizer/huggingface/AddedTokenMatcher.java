package io.github.pretrain4j.tokenizer.huggingface;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Finds added tokens in a text: the leftmost, of those the longest, and so on behind it. Immutable.
 *
 * <p>A trie over bytes. A text is searched only for the first bytes of tokens, eight bytes at a
 * time where there is but one such byte ({@code <}, mostly).
 */
final class AddedTokenMatcher {
  private static final long ONES = 0x0101010101010101L;
  private static final long HIGH_BITS = 0x8080808080808080L;

  private final List<AddedToken> tokens = new ArrayList<>();

  /** Of each token, whether a match is passed over, as a special token that is to be text. */
  private final boolean[] ignored;

  /** The first bytes of tokens. */
  private final boolean[] begins = new boolean[256];

  /** The only first byte in all bytes of a long; 0 if there are several. */
  private final long onlyFirst;

  private final List<Node> nodes = new ArrayList<>();
  private final UnicodeTables unicode;

  /** A place in the trie. */
  private static final class Node {
    private byte[] labels = {};
    private int[] children = {};
    private int token = -1;

    int child(byte label) {
      for (int i = 0; i < labels.length; i++) {
        if (labels[i] == label) {
          return children[i];
        }
      }
      return -1;
    }

    void add(byte label, int child) {
      labels = Arrays.copyOf(labels, labels.length + 1);
      children = Arrays.copyOf(children, children.length + 1);
      labels[labels.length - 1] = label;
      children[children.length - 1] = child;
    }
  }

  /** What was found; reused from search to search. */
  static final class Match {
    /** Index of the token. */
    private int token;

    int id;

    /** What the token takes of the text, white space around it included. */
    int begin;

    int end;

    /** Where the search goes on: behind the token's own text. */
    int resume;
  }

  /**
   * A matcher for tokens.
   *
   * @param contents what to search for, of each token
   * @param specialAsText whether matches of special tokens are passed over
   */
  private AddedTokenMatcher(
      List<AddedToken> tokens,
      List<byte[]> contents,
      boolean specialAsText,
      UnicodeTables unicode) {
    this.unicode = unicode;
    this.ignored = new boolean[tokens.size()];
    nodes.add(new Node());
    for (int i = 0; i < tokens.size(); i++) {
      this.tokens.add(tokens.get(i));
      ignored[i] = specialAsText && tokens.get(i).special();
      insert(contents.get(i), i);
    }
    int firsts = 0;
    long only = 0;
    for (int b = 0; b < 256; b++) {
      if (begins[b]) {
        firsts++;
        only = b * ONES;
      }
    }
    onlyFirst = firsts == 1 ? only : 0;
  }

  /** A matcher, or null if there is nothing to search for. */
  static @Nullable AddedTokenMatcher of(
      List<AddedToken> tokens,
      List<TextStep> normalization,
      boolean specialAsText,
      UnicodeTables unicode) {
    List<byte[]> contents = new ArrayList<>();
    List<AddedToken> searched = new ArrayList<>();
    for (AddedToken token : tokens) {
      byte[] content = normalize(token.content(), normalization);
      if (content.length > 0) {
        searched.add(token);
        contents.add(content);
      }
    }
    boolean all = specialAsText && searched.stream().allMatch(AddedToken::special);
    return searched.isEmpty() || all
        ? null
        : new AddedTokenMatcher(searched, contents, specialAsText, unicode);
  }

  private static byte[] normalize(String content, List<TextStep> steps) {
    byte[] bytes = content.getBytes(StandardCharsets.UTF_8);
    for (TextStep step : steps) {
      if (step.changes(bytes, 0, bytes.length, true)) {
        Bytes out = new Bytes();
        step.apply(bytes, 0, bytes.length, out);
        bytes = Arrays.copyOf(out.array, out.length);
      }
    }
    return bytes;
  }

  private void insert(byte[] content, int token) {
    begins[content[0] & 0xFF] = true;
    int at = 0;
    for (byte b : content) {
      int child = nodes.get(at).child(b);
      if (child < 0) {
        child = nodes.size();
        nodes.add(new Node());
        nodes.get(at).add(b, child);
      }
      at = child;
    }
    // Of two tokens that normalise to one text, the reference program finds the first.
    if (nodes.get(at).token < 0) {
      nodes.get(at).token = token;
    }
  }

  /**
   * Finds the next token in {@code [at, to)} of a part that begins at {@code from}.
   *
   * @param free where the text that no earlier match took begins
   * @return false if there is none
   */
  boolean find(byte[] text, int from, int free, int at, int to, Match match) {
    int place = at;
    while (true) {
      place = nextFirst(text, place, to);
      if (place >= to) {
        return false;
      }
      int end = longest(text, place, to, match);
      if (end < 0) {
        place++;
      } else if (ignored[match.token] || !standsAlone(text, from, place, end, to, match.token)) {
        place = end;
      } else {
        match.id = tokens.get(match.token).id();
        strip(text, from, free, place, end, to, match);
        return true;
      }
    }
  }

  private int nextFirst(byte[] text, int from, int to) {
    int at = from;
    if (onlyFirst != 0) {
      while (at + 8 <= to) {
        long different = (long) Utf8.LONG.get(text, at) ^ onlyFirst;
        long found = (different - ONES) & ~different & HIGH_BITS;
        if (found != 0) {
          return at + (Long.numberOfTrailingZeros(found) >>> 3);
        }
        at += 8;
      }
    }
    while (at < to && !begins[text[at] & 0xFF]) {
      at++;
    }
    return at;
  }

  /** End of the longest token at {@code from}, or -1. */
  private int longest(byte[] text, int from, int to, Match match) {
    int end = -1;
    Node node = nodes.get(0);
    for (int at = from; at < to; ) {
      int child = node.child(text[at++]);
      if (child < 0) {
        break;
      }
      node = nodes.get(child);
      if (node.token >= 0) {
        match.token = node.token;
        end = at;
      }
    }
    return end;
  }

  private boolean standsAlone(byte[] text, int from, int begin, int end, int to, int token) {
    if (!tokens.get(token).singleWord()) {
      return true;
    }
    boolean wordBefore = begin > from && unicode.isWord(Utf8.codePoint(text, before(text, begin)));
    return !wordBefore && !(end < to && unicode.isWord(Utf8.codePoint(text, end)));
  }

  /** Where the character before a place begins. */
  private static int before(byte[] text, int at) {
    int begin = at - 1;
    while (Utf8.isContinuation(text[begin])) {
      begin--;
    }
    return begin;
  }

  private void strip(byte[] text, int from, int free, int begin, int end, int to, Match match) {
    AddedToken token = tokens.get(match.token);
    match.begin = begin;
    match.end = end;
    match.resume = end;
    if (token.lstrip()) {
      while (match.begin > from
          && unicode.isWhiteSpace(Utf8.codePoint(text, before(text, match.begin)))) {
        match.begin = before(text, match.begin);
      }
      match.begin = Math.max(match.begin, free);
    }
    if (token.rstrip()) {
      while (match.end < to && unicode.isWhiteSpace(Utf8.codePoint(text, match.end))) {
        match.end += Utf8.length(text[match.end]);
      }
    }
  }
}
