package io.github.pretrain4j.tokenizer.sentencepiece;

import io.github.pretrain4j.tokenizer.bpe.LongHeap;
import io.github.pretrain4j.tokenizer.bpe.MergeTable;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Byte-pair merging for models with UNUSED pieces. Those merge like others but are taken apart
 * afterwards, into the halves of the latest candidate seen <i>anywhere in the text</i>; the text is
 * therefore one segment, user-defined symbols included, which never merge.
 *
 * <p>Candidates wait in a heap of {@code rank << 32 | index of the left symbol} over linked
 * symbols. An entry is stale if the pair now at its index has another rank; a pair that changed but
 * kept the rank has the same key as its own entry, so which of the two is popped makes no
 * difference.
 */
final class UnusedBpeSegments implements SegmentEngine {
  private static final long NO_HALVES = -1;

  private final PieceTable pieces;
  private final BpeVocabulary vocabulary;
  private final @Nullable PieceTrie userSymbols;

  /** Latest halves of each UNUSED piece, as a {@link LongIntMap#pair}. */
  private final Map<Integer, Long> halves = new HashMap<>();

  private int[] charEnd = new int[0];

  UnusedBpeSegments(PieceTable pieces, BpeVocabulary vocabulary, @Nullable PieceTrie userSymbols) {
    this.pieces = pieces;
    this.vocabulary = vocabulary;
    this.userSymbols = userSymbols;
  }

  @Override
  public void begin() {
    halves.clear();
  }

  @Override
  public void encode(byte[] text, int from, int to, Edges parts) {
    if (from == to) {
      return;
    }
    int[] symbols = new int[to - from];
    charEnd = new int[to - from];
    int[] ends = new int[to - from];
    int chars = 0;
    int count = 0;
    for (int at = from; at < to; ) {
      long user = userSymbols == null ? 0 : userSymbols.longestPrefix(text, at, to);
      int length = user != 0 ? (int) (user >>> 32) : Utf8.lengthByLead(text[at]);
      symbols[count] =
          user != 0 ? frozen((int) user) : vocabulary.symbolOf(Utf8.codePoint(text, at, length));
      for (int end = at + length; at < end; ) {
        at += Utf8.lengthByLead(text[at]);
        charEnd[chars++] = at;
      }
      ends[count++] = chars;
    }
    int[] next = merge(symbols, count);
    int first = 0;
    for (int i = 0; i >= 0; i = next[i]) {
      int after = next[i] < 0 ? count : next[i];
      int last = ends[after - 1];
      if (symbols[i] < 0) {
        parts.add(pieces.id(pieces.piece(thawed(symbols[i])).text()), charEnd[last - 1]);
      } else {
        emit(symbols[i], first, parts);
      }
      first = last;
    }
  }

  /** A symbol that merges with nothing. */
  private static int frozen(int id) {
    return -2 - id;
  }

  private static int thawed(int symbol) {
    return -2 - symbol;
  }

  /** Merges in place; symbol 0 is the first, the result links each to the next. */
  private int[] merge(int[] s, int count) {
    int[] next = new int[count];
    int[] previous = new int[count];
    long[] pair = new long[count];
    LongHeap heap = new LongHeap(count);
    for (int i = 0; i < count; i++) {
      next[i] = i + 1 < count ? i + 1 : -1;
      previous[i] = i - 1;
      pair[i] = i + 1 < count ? candidate(s[i], s[i + 1]) : MergeTable.NONE;
      push(heap, pair[i], i);
    }
    while (!heap.isEmpty()) {
      long key = heap.poll();
      int left = (int) key;
      if (pair[left] == MergeTable.NONE || pair[left] >>> 32 != key >>> 32) {
        continue;
      }
      int right = next[left];
      s[left] = (int) pair[left];
      next[left] = next[right];
      pair[right] = MergeTable.NONE;
      pair[left] = MergeTable.NONE;
      int before = previous[left];
      if (before >= 0) {
        pair[before] = candidate(s[before], s[left]);
        push(heap, pair[before], before);
      }
      int after = next[left];
      if (after >= 0) {
        previous[after] = left;
        pair[left] = candidate(s[left], s[after]);
        push(heap, pair[left], left);
      }
    }
    return next;
  }

  private static void push(LongHeap heap, long merge, int at) {
    if (merge != MergeTable.NONE) {
      heap.add((merge >>> 32) << 32 | at);
    }
  }

  private long candidate(int left, int right) {
    if (left < 0 || right < 0) {
      return MergeTable.NONE;
    }
    long merge = vocabulary.merges.find(left, right);
    if (merge != MergeTable.NONE && pieces.type((int) merge) == PieceType.UNUSED) {
      halves.put((int) merge, LongIntMap.pair(left, right));
    }
    return merge;
  }

  /** Adds a symbol, taken apart if it is UNUSED, and returns the character after it. */
  private int emit(int symbol, int firstChar, Edges parts) {
    int id = vocabulary.idOf(symbol);
    long pair =
        pieces.type(id) == PieceType.UNUSED ? halves.getOrDefault(id, NO_HALVES) : NO_HALVES;
    if (pair != NO_HALVES) {
      return emit((int) pair, emit((int) (pair >>> 32), firstChar, parts), parts);
    }
    int after = firstChar + vocabulary.charsOf(symbol);
    parts.add(id, charEnd[after - 1]);
    return after;
  }
}
