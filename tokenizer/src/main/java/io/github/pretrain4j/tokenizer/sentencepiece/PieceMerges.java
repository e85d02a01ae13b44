package io.github.pretrain4j.tokenizer.sentencepiece;

import io.github.pretrain4j.tokenizer.bpe.LongHeap;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Divides strings as a BPE encoder does, straight from the definition: of all neighbours that make
 * a piece, those of the best rank merge, leftmost first, until there are none. For vocabularies
 * that still grow; encoders have tables. Not thread-safe.
 */
final class PieceMerges {
  private static final int NONE = -1;

  private final Map<String, Integer> rankOf = new HashMap<>();
  private int[] start = new int[64];
  private int[] next = new int[64];
  private int[] previous = new int[64];

  /** Adds a piece; the lower its rank, the earlier it merges. */
  void add(String piece, int rank) {
    rankOf.put(piece, rank);
  }

  /** Whether the string is a piece. */
  boolean contains(String piece) {
    return rankOf.containsKey(piece);
  }

  /** Where the parts of a string end. Parts of one character need not be pieces. */
  int[] ends(String text) {
    int size = split(text);
    LongHeap candidates = new LongHeap(size);
    for (int at = 0; at < size; at++) {
      push(text, at, candidates);
    }
    int parts = size;
    while (!candidates.isEmpty()) {
      long best = candidates.poll();
      int at = (int) best;
      Integer rank = rankHere(text, at);
      if (rank == null || rank != (int) (best >>> 32)) {
        continue; // its symbols have merged otherwise
      }
      int right = next[at];
      next[at] = next[right];
      previous[next[at]] = at;
      start[right] = NONE;
      parts--;
      push(text, at, candidates);
      if (previous[at] != NONE) {
        push(text, previous[at], candidates);
      }
    }
    int[] ends = new int[parts];
    int at = 0;
    for (int i = 0; i < parts; i++) {
      at = next[at];
      ends[i] = start[at];
    }
    return ends;
  }

  /** One symbol a character, and one behind the last; returns how many without that. */
  private int split(String text) {
    if (text.length() >= start.length) {
      start = Arrays.copyOf(start, 2 * text.length());
      next = Arrays.copyOf(next, start.length);
      previous = Arrays.copyOf(previous, start.length);
    }
    int size = 0;
    for (int i = 0; i < text.length(); size++) {
      start[size] = i;
      next[size] = size + 1;
      previous[size] = size - 1;
      i += Character.charCount(text.codePointAt(i));
    }
    start[size] = text.length();
    next[size] = NONE;
    previous[size] = size - 1;
    return size;
  }

  private void push(String text, int at, LongHeap candidates) {
    Integer rank = rankHere(text, at);
    if (rank != null) {
      candidates.add((long) rank << 32 | at);
    }
  }

  /** The rank of what the symbol at a place makes with the next one; null if no piece. */
  private @Nullable Integer rankHere(String text, int at) {
    if (start[at] == NONE || next[at] == NONE || next[next[at]] == NONE) {
      return null;
    }
    return rankOf.get(text.substring(start[at], start[next[next[at]]]));
  }

  /** The rank of a piece. */
  int rank(String piece) {
    return Objects.requireNonNull(rankOf.get(piece), piece);
  }
}
