package io.github.pretrain4j.tokenizer.sentencepiece;

import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Encodes normalised text with a {@link BpeVocabulary}. Has buffers, so one encoder is for one
 * thread.
 *
 * <p>Merging: of all neighbouring symbols that form a piece, the pair with the highest score, the
 * leftmost on a tie, becomes one symbol, until no pair is left. Short segments are scanned; long
 * ones use a heap of {@code rank << 32 | index of the left symbol} over linked symbols, which is
 * {@code n log n}. A heap entry is stale if the pair now at its index has another rank; a pair that
 * changed but kept the rank has the same key as its own entry, so which of the two is popped makes
 * no difference.
 *
 * <p>UNUSED pieces merge but are taken apart afterwards, into the halves of the latest candidate
 * seen anywhere in the text; such models are therefore encoded without cuts.
 */
final class BpeEncoder {
  private static final int SCAN_LIMIT = 32;

  private final BpeVocabulary vocabulary;
  private final @Nullable UserSymbols userSymbols;
  private final boolean wantEnds;

  private char[] text = new char[0];
  private int[] symbols = new int[64];
  private int symbolCount;
  private final int[] scanMerge = new int[SCAN_LIMIT];

  private int[] ids = new int[0];
  private int[] ends = new int[0];
  private int size;
  private boolean afterUnknown;

  /** Latest halves of each UNUSED piece, as a {@link LongIntMap#pair}. */
  private final Map<Integer, Long> halves = new HashMap<>();

  BpeEncoder(BpeVocabulary vocabulary, @Nullable UserSymbols userSymbols, boolean wantEnds) {
    this.vocabulary = vocabulary;
    this.userSymbols = userSymbols;
    this.wantEnds = wantEnds;
  }

  /** Encodes a text; the result is in {@link #ids} and {@link #end} until the next call. */
  void encode(TextBuffer normalized) {
    text = normalized.chars;
    size = 0;
    symbolCount = 0;
    afterUnknown = false;
    halves.clear();
    ids = new int[Math.max(16, normalized.length / 3)];
    ends = wantEnds ? new int[ids.length] : ends;
    int length = normalized.length;
    boolean cuts = !vocabulary.hasUnused;
    int segmentStart = 0;
    int previous = -1;
    for (int i = 0; i < length; ) {
      long user = userSymbols == null ? 0 : userSymbols.longestPrefix(text, i, length);
      if (user != 0) {
        if (cuts) {
          flush(segmentStart);
          segmentStart = i;
        }
        push(vocabulary.frozenSymbol((int) user));
        i += (int) (user >>> 32);
        previous = -1;
        if (cuts) {
          flush(segmentStart);
          segmentStart = i;
        }
        continue;
      }
      int codePoint = text[i];
      int next = i + 1;
      if (Character.isSurrogate((char) codePoint)) {
        codePoint = Utf8.codePointAt(text, i, length);
        next = i + Character.charCount(codePoint);
      }
      if (cuts && symbolCount > 0 && !vocabulary.joined(previous, codePoint)) {
        flush(segmentStart);
        segmentStart = i;
      }
      push(vocabulary.symbolOf(codePoint));
      previous = codePoint;
      i = next;
    }
    flush(segmentStart);
  }

  /** The ids of the last text. */
  int[] ids() {
    return Arrays.copyOf(ids, size);
  }

  int size() {
    return size;
  }

  /** Where the text of an id ends in the normalised text; it begins where the one before ends. */
  int end(int index) {
    return ends[index];
  }

  private void push(int symbol) {
    if (symbolCount == symbols.length) {
      symbols = Arrays.copyOf(symbols, (int) Math.min(TextBuffer.MAX_CHARS, symbolCount * 2L));
    }
    symbols[symbolCount++] = symbol;
  }

  private void flush(int start) {
    if (symbolCount == 1) {
      emit(symbols[0], start);
    } else if (symbolCount > 1) {
      int count =
          symbolCount <= SCAN_LIMIT && !vocabulary.hasUnused ? mergeByScan() : mergeByHeap();
      int at = start;
      for (int i = 0; i < count; i++) {
        at = emit(symbols[i], at);
      }
    }
    symbolCount = 0;
  }

  /** Merges {@link #symbols} in place and returns how many are left. */
  private int mergeByScan() {
    BpeVocabulary v = vocabulary;
    int[] s = symbols;
    int[] merge = scanMerge;
    int n = symbolCount;
    for (int i = 0; i + 1 < n; i++) {
      merge[i] = v.merge(s[i], s[i + 1]);
    }
    while (true) {
      int best = -1;
      int bestRank = Integer.MAX_VALUE;
      for (int i = 0; i + 1 < n; i++) {
        if (merge[i] >= 0 && v.rank[merge[i]] < bestRank) {
          bestRank = v.rank[merge[i]];
          best = i;
        }
      }
      if (best < 0) {
        return n;
      }
      s[best] = merge[best];
      n--;
      for (int i = best + 1; i < n; i++) {
        s[i] = s[i + 1];
        merge[i - 1] = merge[i];
      }
      if (best > 0) {
        merge[best - 1] = v.merge(s[best - 1], s[best]);
      }
      if (best + 1 < n) {
        merge[best] = v.merge(s[best], s[best + 1]);
      }
    }
  }

  /** As {@link #mergeByScan}, for long segments and for models with UNUSED pieces. */
  private int mergeByHeap() {
    BpeVocabulary v = vocabulary;
    int[] s = symbols;
    int n = symbolCount;
    int[] next = new int[n];
    int[] previous = new int[n];
    int[] merge = new int[n];
    LongHeap heap = new LongHeap(n);
    for (int i = 0; i < n; i++) {
      next[i] = i + 1 < n ? i + 1 : -1;
      previous[i] = i - 1;
      merge[i] = i + 1 < n ? candidate(s[i], s[i + 1]) : BpeVocabulary.NO_MERGE;
      if (merge[i] >= 0) {
        heap.add((long) v.rank[merge[i]] << 32 | i);
      }
    }
    while (!heap.isEmpty()) {
      long key = heap.poll();
      int left = (int) key;
      if (merge[left] < 0 || v.rank[merge[left]] != (int) (key >>> 32)) {
        continue;
      }
      int right = next[left];
      s[left] = merge[left];
      next[left] = next[right];
      merge[right] = BpeVocabulary.NO_MERGE;
      s[right] = -1;
      int before = previous[left];
      if (before >= 0) {
        merge[before] = candidate(s[before], s[left]);
        if (merge[before] >= 0) {
          heap.add((long) v.rank[merge[before]] << 32 | before);
        }
      }
      int after = next[left];
      merge[left] = BpeVocabulary.NO_MERGE;
      if (after >= 0) {
        previous[after] = left;
        merge[left] = candidate(s[left], s[after]);
        if (merge[left] >= 0) {
          heap.add((long) v.rank[merge[left]] << 32 | left);
        }
      }
    }
    int count = 0;
    for (int i = 0; i >= 0; i = next[i]) {
      s[count++] = s[i];
    }
    return count;
  }

  private int candidate(int left, int right) {
    int merged = vocabulary.merge(left, right);
    if (merged >= 0 && vocabulary.type[merged] == PieceType.UNUSED) {
      halves.put(merged, LongIntMap.pair(left, right));
    }
    return merged;
  }

  /** Turns a symbol whose text begins at {@code at} into ids and returns where its text ends. */
  private int emit(int symbol, int at) {
    BpeVocabulary v = vocabulary;
    if (symbol == v.unknownSymbol) {
      int codePoint = Utf8.codePointAt(text, at, text.length);
      int end = at + Character.charCount(codePoint);
      emitUnknown(at, end);
      return end;
    }
    int known = v.isFrozen(symbol) ? v.frozenPiece(symbol) : symbol;
    int id = v.finalId[known];
    int end = at + v.symbolLength[known];
    if (v.type[id] == PieceType.UNUSED && halves.containsKey(id)) {
      long pair = halves.getOrDefault(id, 0L);
      return emit((int) pair, emit((int) (pair >>> 32), at));
    }
    switch (v.type[id]) {
      case UNKNOWN -> emitUnknown(at, end);
      case CONTROL ->
          throw new IllegalArgumentException(
              "the text contains \""
                  + new String(text, at, end - at)
                  + "\", which is the CONTROL piece "
                  + id
                  + " of this model and cannot come from text");
      default -> {
        add(id, end);
        afterUnknown = false;
      }
    }
    return end;
  }

  private void emitUnknown(int at, int end) {
    if (vocabulary.byteFallback) {
      byte[] utf8 = new byte[4];
      for (int i = at; i < end; ) {
        int codePoint = Utf8.codePointAt(text, i, end);
        int length = Utf8.encode(codePoint, utf8);
        i += Character.charCount(codePoint);
        for (int k = 0; k < length; k++) {
          add(vocabulary.byteIds[utf8[k] & 0xFF], i);
        }
      }
    } else if (afterUnknown) {
      if (wantEnds) {
        ends[size - 1] = end;
      }
    } else {
      add(vocabulary.unknownId, end);
      afterUnknown = true;
    }
  }

  private void add(int id, int end) {
    if (size == ids.length) {
      int capacity = (int) Math.min(Integer.MAX_VALUE - 8, ids.length + (ids.length >> 1) + 16L);
      ids = Arrays.copyOf(ids, capacity);
      ends = wantEnds ? Arrays.copyOf(ends, capacity) : ends;
    }
    ids[size] = id;
    if (wantEnds) {
      ends[size] = end;
    }
    size++;
  }
}
