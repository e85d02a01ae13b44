package io.github.pretrain4j.tokenizer.sentencepiece;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The merge loop of BPE training over words with counts.
 *
 * <p>All words lie one after the other in {@link #symbol}; {@link #next} and {@link #previous} link
 * the symbols that are left of each word. Every position is the left end of at most one
 * <i>pair</i>, and {@link #nextOfPair}/{@link #previousOfPair} link the positions of a pair, so
 * that a merge touches exactly the places that change. A heap orders pairs by the count they had
 * when they were added; an entry whose count has changed is put back with the new one.
 *
 * <p>Pairs of one symbol with itself overlap ({@code aaa} has two, but can merge once), so theirs
 * is counted again, without overlaps, when one comes to the top.
 */
final class BpeMerging {
  private static final int NONE = -1;

  private final BpeTrainerConfig config;
  private final Set<String> taken;

  private int[] symbol = new int[1 << 12];
  private int[] next = new int[1 << 12];
  private int[] previous = new int[1 << 12];
  private int[] pairAt = new int[0];
  private int[] nextOfPair = new int[0];
  private int[] previousOfPair = new int[0];

  /** The word of a position, for its count. */
  private int[] wordAt = new int[1 << 12];

  private final List<Long> wordCounts = new ArrayList<>();
  private long[] wordCount = new long[0];
  private int positions;

  private final List<String> symbolText = new ArrayList<>();
  private final Map<String, Integer> symbolOfText = new HashMap<>();

  private final LongIntMap pairOf = new LongIntMap(1 << 14);
  private int pairs;
  private int[] pairLeft = new int[1 << 12];
  private int[] pairRight = new int[1 << 12];
  private int[] firstOfPair = new int[1 << 12];
  private long[] pairCount = new long[1 << 12];

  private final PairHeap heap = new PairHeap();

  BpeMerging(BpeTrainerConfig config, List<String> characters, Set<String> taken) {
    this.config = config;
    this.taken = taken;
    for (String character : characters) {
      addSymbol(character);
    }
  }

  private int addSymbol(String text) {
    symbolOfText.put(text, symbolText.size());
    symbolText.add(text);
    return symbolText.size() - 1;
  }

  /** Adds a word; characters without a symbol break it. */
  void addWord(String word, long count, Map<Integer, Integer> symbolOfCharacter) {
    int before = NONE;
    for (int i = 0; i < word.length(); ) {
      int codePoint = word.codePointAt(i);
      i += Character.charCount(codePoint);
      Integer known = symbolOfCharacter.get(codePoint);
      if (known == null) {
        before = NONE;
        continue;
      }
      if (positions == symbol.length) {
        int capacity = Math.toIntExact(positions + (positions >> 1) + 1L);
        symbol = Arrays.copyOf(symbol, capacity);
        next = Arrays.copyOf(next, capacity);
        previous = Arrays.copyOf(previous, capacity);
        wordAt = Arrays.copyOf(wordAt, capacity);
      }
      symbol[positions] = known;
      previous[positions] = before;
      next[positions] = NONE;
      wordAt[positions] = wordCounts.size();
      if (before != NONE) {
        next[before] = positions;
      }
      before = positions++;
    }
    wordCounts.add(count);
  }

  /** Makes up to {@code count} pieces and returns their texts in the order they were made. */
  List<String> run(int count, TrainingProgress progress) {
    wordCount = wordCounts.stream().mapToLong(Long::longValue).toArray();
    pairAt = new int[positions];
    nextOfPair = new int[positions];
    previousOfPair = new int[positions];
    Arrays.fill(pairAt, NONE);
    for (int i = 0; i < positions; i++) {
      link(i);
    }
    for (int pair = 0; pair < pairs; pair++) {
      heap.add(pair, pairCount[pair]);
    }
    List<String> made = new ArrayList<>();
    while (made.size() < count && !heap.isEmpty()) {
      long wanted = heap.topCount();
      int pair = heap.poll();
      int[] places = pairCount[pair] == 0 ? new int[0] : places(pair);
      long exact = pairLeft[pair] == pairRight[pair] ? countApart(places) : pairCount[pair];
      if (exact == 0) {
        continue;
      }
      if (exact != wanted) {
        heap.add(pair, exact);
        continue;
      }
      String text = symbolText.get(pairLeft[pair]) + symbolText.get(pairRight[pair]);
      Integer known = symbolOfText.get(text);
      if (known == null) {
        known = addSymbol(text);
        if (!taken.contains(text)) {
          made.add(text);
        }
      }
      merge(pair, known, places);
      if (made.size() % 500 == 0) {
        progress.progress("merging", made.size(), count);
      }
    }
    progress.progress("merging", made.size(), count);
    return made;
  }

  /** The positions of a pair, ascending. */
  private int[] places(int pair) {
    int count = 0;
    for (int at = firstOfPair[pair]; at != NONE; at = nextOfPair[at]) {
      count++;
    }
    int[] places = new int[count];
    for (int at = firstOfPair[pair]; at != NONE; at = nextOfPair[at]) {
      places[--count] = at; // a pair's newest position comes first
    }
    for (int i = 1; i < places.length; i++) {
      if (places[i - 1] > places[i]) {
        Arrays.sort(places);
        break;
      }
    }
    return places;
  }

  /** How often a pair of one symbol with itself can merge. */
  private long countApart(int[] places) {
    long count = 0;
    int end = NONE;
    for (int at : places) {
      if (at != end) {
        count += wordCount[wordAt[at]];
        end = next[at];
      } else {
        end = NONE;
      }
    }
    return count;
  }

  private void merge(int pair, int merged, int[] places) {
    int firstNewPair = pairs;
    List<Integer> grown = new ArrayList<>();
    for (int left : places) {
      if (pairAt[left] != pair) {
        continue; // its left symbol went into the merge before
      }
      int right = next[left];
      int before = previous[left];
      int after = next[right];
      if (before != NONE) {
        unlink(before);
      }
      unlink(left);
      unlink(right);
      symbol[left] = merged;
      next[left] = after;
      if (after != NONE) {
        previous[after] = left;
      }
      if (before != NONE) {
        noteGrowth(link(before), firstNewPair, grown);
      }
      noteGrowth(link(left), firstNewPair, grown);
    }
    for (int created = firstNewPair; created < pairs; created++) {
      heap.add(created, pairCount[created]);
    }
    for (int old : grown) {
      heap.add(old, pairCount[old]);
    }
  }

  /** A pair that existed before can only grow when a known piece is formed in another way. */
  private static void noteGrowth(int pair, int firstNewPair, List<Integer> grown) {
    if (pair != NONE
        && pair < firstNewPair
        && (grown.isEmpty() || grown.get(grown.size() - 1) != pair)) {
      grown.add(pair);
    }
  }

  /** Records the pair that begins at a position, if it may become a piece; returns it or NONE. */
  private int link(int at) {
    int right = next[at];
    if (right == NONE) {
      return NONE;
    }
    long key = LongIntMap.pair(symbol[at], symbol[right]);
    int pair = pairOf.get(key);
    if (pair == LongIntMap.ABSENT) {
      if (!mayMerge(symbolText.get(symbol[at]), symbolText.get(symbol[right]))) {
        return NONE;
      }
      pair = addPair(key, symbol[at], symbol[right]);
    }
    int first = firstOfPair[pair];
    nextOfPair[at] = first;
    previousOfPair[at] = NONE;
    if (first != NONE) {
      previousOfPair[first] = at;
    }
    firstOfPair[pair] = at;
    pairAt[at] = pair;
    pairCount[pair] += wordCount[wordAt[at]];
    return pair;
  }

  private void unlink(int at) {
    int pair = pairAt[at];
    if (pair == NONE) {
      return;
    }
    int before = previousOfPair[at];
    int after = nextOfPair[at];
    if (before == NONE) {
      firstOfPair[pair] = after;
    } else {
      nextOfPair[before] = after;
    }
    if (after != NONE) {
      previousOfPair[after] = before;
    }
    pairAt[at] = NONE;
    pairCount[pair] -= wordCount[wordAt[at]];
  }

  private int addPair(long key, int left, int right) {
    if (pairs == pairLeft.length) {
      int capacity = Math.multiplyExact(pairs, 2);
      pairLeft = Arrays.copyOf(pairLeft, capacity);
      pairRight = Arrays.copyOf(pairRight, capacity);
      firstOfPair = Arrays.copyOf(firstOfPair, capacity);
      pairCount = Arrays.copyOf(pairCount, capacity);
    }
    pairLeft[pairs] = left;
    pairRight[pairs] = right;
    firstOfPair[pairs] = NONE;
    pairOf.put(key, pairs);
    return pairs++;
  }

  /** Length, and where spaces may stand; words are already cut at scripts and digits. */
  private boolean mayMerge(String left, String right) {
    if (left.codePointCount(0, left.length()) + right.codePointCount(0, right.length())
        > config.maxPieceLength()) {
      return false;
    }
    boolean leftBlank = isBlank(left);
    boolean rightBlank = isBlank(right);
    if (leftBlank && rightBlank) {
      return config.allowWhitespaceOnlyPieces();
    }
    if (config.splitByWhitespace()) {
      return right.indexOf(Normalizer.ESCAPED_SPACE) < 0 && !(leftBlank && left.length() > 1);
    }
    return right.charAt(right.length() - 1) != Normalizer.ESCAPED_SPACE;
  }

  private static boolean isBlank(String text) {
    for (int i = 0; i < text.length(); i++) {
      if (text.charAt(i) != Normalizer.ESCAPED_SPACE) {
        return false;
      }
    }
    return true;
  }

  /** Pairs by count, highest first; then shorter text, then code point order. */
  private final class PairHeap {
    private int[] pair = new int[1 << 12];
    private long[] count = new long[1 << 12];
    private int size;

    boolean isEmpty() {
      return size == 0;
    }

    long topCount() {
      return count[0];
    }

    void add(int newPair, long newCount) {
      if (size == pair.length) {
        pair = Arrays.copyOf(pair, Math.multiplyExact(size, 2));
        count = Arrays.copyOf(count, pair.length);
      }
      int at = size++;
      while (at > 0) {
        int parent = (at - 1) >> 1;
        if (!before(newPair, newCount, pair[parent], count[parent])) {
          break;
        }
        pair[at] = pair[parent];
        count[at] = count[parent];
        at = parent;
      }
      pair[at] = newPair;
      count[at] = newCount;
    }

    int poll() {
      int top = pair[0];
      size--;
      int lastPair = pair[size];
      long lastCount = count[size];
      int at = 0;
      while (true) {
        int child = 2 * at + 1;
        if (child >= size) {
          break;
        }
        if (child + 1 < size
            && before(pair[child + 1], count[child + 1], pair[child], count[child])) {
          child++;
        }
        if (!before(pair[child], count[child], lastPair, lastCount)) {
          break;
        }
        pair[at] = pair[child];
        count[at] = count[child];
        at = child;
      }
      pair[at] = lastPair;
      count[at] = lastCount;
      return top;
    }

    private boolean before(int a, long countA, int b, long countB) {
      return countA != countB ? countA > countB : compareTexts(a, b) < 0;
    }

    private int compareTexts(int a, int b) {
      String leftA = symbolText.get(pairLeft[a]);
      String rightA = symbolText.get(pairRight[a]);
      String leftB = symbolText.get(pairLeft[b]);
      String rightB = symbolText.get(pairRight[b]);
      int lengthA = leftA.length() + rightA.length();
      int lengthB = leftB.length() + rightB.length();
      if (lengthA != lengthB) {
        return Integer.compare(lengthA, lengthB);
      }
      for (int i = 0; i < lengthA; i++) {
        char ca = i < leftA.length() ? leftA.charAt(i) : rightA.charAt(i - leftA.length());
        char cb = i < leftB.length() ? leftB.charAt(i) : rightB.charAt(i - leftB.length());
        if (ca != cb) {
          return Integer.compare(codePointOrder(ca), codePointOrder(cb));
        }
      }
      return Integer.compare(pairLeft[a], pairLeft[b]); // one text, made in two ways
    }

    /** Puts surrogates above the rest of the basic plane, as in code point order. */
    private static int codePointOrder(char c) {
      return Character.isSurrogate(c) ? c + 0x10000 : c;
    }
  }
}
