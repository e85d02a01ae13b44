package io.github.pretrain4j.tokenizer.sentencepiece;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * The merge loop of BPE training over words with counts.
 *
 * <p>All words lie one after the other in {@link #symbol}; {@link #next} and {@link #previous} link
 * the symbols that are left of each word. A <i>candidate</i> is a text that two neighbouring
 * symbols make, in however many ways; every position is the left end of at most one, and {@link
 * #nextOfCandidate}/{@link #previousOfCandidate} link the positions of a candidate, so that a merge
 * touches exactly the places that change. A heap orders candidates by the count they had when they
 * were added; an entry whose count has changed is put back with the new one.
 *
 * <p>Words are at any time what an encoder with the pieces made so far leaves of them: when a merge
 * brings together two symbols that make a piece which exists already, and so has priority, they
 * merge at once. A new piece is therefore always within the encoder's reach.
 *
 * <p>Occurrences of a candidate can overlap ({@code aaa} has {@code aa} twice, but can merge once),
 * so where that may be they are counted again, without overlaps, when one comes to the top.
 */
final class BpeMerging {
  private static final int NONE = -1;

  /** What {@link #candidateOf} holds for symbols that may not merge. */
  private static final int REFUSED = 0;

  private static final int PROGRESS_INTERVAL = 500;

  private final Predicate<String> mayBePiece;

  private int[] symbol = new int[1 << 12];
  private int[] next = new int[1 << 12];
  private int[] previous = new int[1 << 12];
  private int[] candidateAt = new int[0];
  private int[] nextOfCandidate = new int[0];
  private int[] previousOfCandidate = new int[0];

  /** The word of a position, for its count. */
  private int[] wordAt = new int[1 << 12];

  private long[] wordCount = new long[1 << 10];
  private int words;
  private int positions;

  private final List<String> symbolText = new ArrayList<>();
  private final Map<String, Integer> symbolOfText = new HashMap<>();

  /** Priority of the pieces that symbols are, lower first. By symbol. */
  private int[] rank = new int[1 << 10];

  private int nextRank;

  /** Of two symbols; and of the hash of a text, the first of a chain. */
  private final LongIntMap candidateOf = new LongIntMap(1 << 14);

  private final LongIntMap candidateOfHash = new LongIntMap(1 << 14);
  private int candidates = 1;
  private int[] leftOf = new int[1 << 12];
  private int[] rightOf = new int[1 << 12];
  private int[] nextOfHash = new int[1 << 12];
  private int[] firstPosition = new int[1 << 12];
  private long[] countOf = new long[1 << 12];

  /** The symbol that a candidate is already, or {@link #NONE}. */
  private int[] made = new int[1 << 12];

  private final BitSet mayOverlap = new BitSet();
  private final List<Integer> grown = new ArrayList<>();
  private int firstNewCandidate;

  private final CandidateHeap heap = new CandidateHeap();

  /** No words; {@code mayBePiece} is asked about texts of at least two characters. */
  BpeMerging(Predicate<String> mayBePiece) {
    this.mayBePiece = mayBePiece;
  }

  /** Adds a character, or a piece that exists, behind those added before in priority. */
  int addSymbol(String text) {
    return addSymbol(text, nextRank);
  }

  /** Adds a piece that exists; {@code newRank} is its priority, lower first. */
  int addSymbol(String text, int newRank) {
    int added = symbolText.size();
    if (symbolOfText.putIfAbsent(text, added) != null) {
      throw new IllegalArgumentException("symbol " + text + " again");
    }
    symbolText.add(text);
    if (added == rank.length) {
      rank = Arrays.copyOf(rank, Math.multiplyExact(added, 2));
    }
    rank[added] = newRank;
    nextRank = Math.max(nextRank, newRank + 1);
    return added;
  }

  /** Adds a word as characters; those that are no symbols break it. */
  void addWord(String word, long count) {
    beginWord(count);
    int before = NONE;
    for (int i = 0; i < word.length(); ) {
      int end = i + Character.charCount(word.codePointAt(i));
      before = append(symbolOfText.get(word.substring(i, end)), before);
      i = end;
    }
  }

  /** Adds a word as symbols, by their ends in it; what is no symbol breaks it. */
  void addWord(String word, int[] ends, long count) {
    beginWord(count);
    int before = NONE;
    int start = 0;
    for (int end : ends) {
      before = append(symbolOfText.get(word.substring(start, end)), before);
      start = end;
    }
  }

  private void beginWord(long count) {
    if (words == wordCount.length) {
      wordCount = Arrays.copyOf(wordCount, Math.multiplyExact(words, 2));
    }
    wordCount[words++] = count;
  }

  private int append(@Nullable Integer known, int before) {
    if (known == null) {
      return NONE;
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
    wordAt[positions] = words - 1;
    if (before != NONE) {
      next[before] = positions;
    }
    return positions++;
  }

  /** Makes up to {@code count} pieces and returns their texts in the order they were made. */
  List<String> run(int count, TrainingProgress progress) {
    candidateAt = new int[positions];
    nextOfCandidate = new int[positions];
    previousOfCandidate = new int[positions];
    Arrays.fill(candidateAt, NONE);
    for (int i = 0; i < positions; i++) {
      link(i);
    }
    for (int candidate = 1; candidate < candidates; candidate++) {
      heap.add(candidate, countOf[candidate]);
    }
    List<String> texts = new ArrayList<>();
    while (texts.size() < count && !heap.isEmpty()) {
      long wanted = heap.topCount();
      int candidate = heap.poll();
      if (countOf[candidate] == 0) {
        continue;
      }
      int[] places = places(candidate);
      long exact = mayOverlap.get(candidate) ? countApart(places) : countOf[candidate];
      if (exact != wanted) {
        heap.add(candidate, exact);
        continue;
      }
      String text = text(candidate);
      made[candidate] = addSymbol(text);
      texts.add(text);
      merge(candidate, places);
      if (texts.size() % PROGRESS_INTERVAL == 0) {
        progress.progress("merging", texts.size(), count);
      }
    }
    progress.progress("merging", texts.size(), count);
    return texts;
  }

  private String text(int candidate) {
    return symbolText.get(leftOf[candidate]) + symbolText.get(rightOf[candidate]);
  }

  /** The positions of a candidate, ascending. */
  private int[] places(int candidate) {
    int count = 0;
    for (int at = firstPosition[candidate]; at != NONE; at = nextOfCandidate[at]) {
      count++;
    }
    int[] places = new int[count];
    for (int at = firstPosition[candidate]; at != NONE; at = nextOfCandidate[at]) {
      places[--count] = at; // a candidate's newest position comes first
    }
    for (int i = 1; i < places.length; i++) {
      if (places[i - 1] > places[i]) {
        Arrays.sort(places);
        break;
      }
    }
    return places;
  }

  /** How many of a candidate's places can merge, from the left. */
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

  private void merge(int candidate, int[] places) {
    firstNewCandidate = candidates;
    grown.clear();
    for (int at : places) {
      // Otherwise one of its symbols went into a merge before it.
      if (candidateAt[at] == candidate) {
        join(at, made[candidate]);
        settle(at);
      }
    }
    firstPosition[candidate] = NONE;
    countOf[candidate] = 0;
    for (int created = firstNewCandidate; created < candidates; created++) {
      heap.add(created, countOf[created]);
    }
    for (int old : grown) {
      heap.add(old, countOf[old]);
    }
  }

  /** Makes the symbol at a position and the one after it one. */
  private void join(int at, int merged) {
    int right = next[at];
    int before = previous[at];
    int after = next[right];
    if (before != NONE) {
      unlink(before);
    }
    unlink(at);
    unlink(right);
    symbol[at] = merged;
    next[at] = after;
    if (after != NONE) {
      previous[after] = at;
    }
    if (before != NONE) {
      link(before);
    }
    link(at);
  }

  /** Merges a new symbol with its neighbours as long as that makes pieces that exist. */
  private void settle(int newSymbolAt) {
    int at = newSymbolAt;
    while (true) {
      int before = previous[at];
      int left = before == NONE ? NONE : madeAt(before);
      int right = madeAt(at);
      if (left != NONE && (right == NONE || rank[left] <= rank[right])) {
        at = before;
        join(at, left);
      } else if (right != NONE) {
        join(at, right);
      } else {
        return;
      }
    }
  }

  private int madeAt(int at) {
    return candidateAt[at] == NONE ? NONE : made[candidateAt[at]];
  }

  /** Records the candidate that begins at a position, if there is one. */
  private void link(int at) {
    int right = next[at];
    if (right == NONE) {
      return;
    }
    int candidate = candidate(symbol[at], symbol[right]);
    if (candidate == REFUSED) {
      return;
    }
    candidateAt[at] = candidate;
    if (made[candidate] != NONE) {
      return;
    }
    int first = firstPosition[candidate];
    nextOfCandidate[at] = first;
    previousOfCandidate[at] = NONE;
    if (first != NONE) {
      previousOfCandidate[first] = at;
    }
    firstPosition[candidate] = at;
    countOf[candidate] += wordCount[wordAt[at]];
    if (candidate < firstNewCandidate
        && (grown.isEmpty() || grown.get(grown.size() - 1) != candidate)) {
      grown.add(candidate);
    }
  }

  private void unlink(int at) {
    int candidate = candidateAt[at];
    if (candidate == NONE) {
      return;
    }
    candidateAt[at] = NONE;
    if (made[candidate] != NONE) {
      return;
    }
    int before = previousOfCandidate[at];
    int after = nextOfCandidate[at];
    if (before == NONE) {
      firstPosition[candidate] = after;
    } else {
      nextOfCandidate[before] = after;
    }
    if (after != NONE) {
      previousOfCandidate[after] = before;
    }
    countOf[candidate] -= wordCount[wordAt[at]];
  }

  private int candidate(int left, int right) {
    long key = LongIntMap.pair(left, right);
    int candidate = candidateOf.get(key);
    if (candidate == LongIntMap.ABSENT) {
      candidate = findOrAdd(left, right);
      candidateOf.put(key, candidate);
    }
    return candidate;
  }

  /** The candidate of the two symbols' text, whichever symbols made it first. */
  private int findOrAdd(int left, int right) {
    String text = symbolText.get(left) + symbolText.get(right);
    Integer known = symbolOfText.get(text);
    if (known == null && !mayBePiece.test(text)) {
      return REFUSED;
    }
    long hash = hash(text);
    int first = candidateOfHash.get(hash);
    for (int at = first; at != LongIntMap.ABSENT; at = nextOfHash[at]) {
      if (text(at).equals(text)) {
        mayOverlap.set(at);
        return at;
      }
    }
    if (candidates == leftOf.length) {
      int capacity = Math.multiplyExact(candidates, 2);
      leftOf = Arrays.copyOf(leftOf, capacity);
      rightOf = Arrays.copyOf(rightOf, capacity);
      nextOfHash = Arrays.copyOf(nextOfHash, capacity);
      firstPosition = Arrays.copyOf(firstPosition, capacity);
      countOf = Arrays.copyOf(countOf, capacity);
      made = Arrays.copyOf(made, capacity);
    }
    int added = candidates++;
    leftOf[added] = left;
    rightOf[added] = right;
    nextOfHash[added] = first;
    candidateOfHash.put(hash, added);
    firstPosition[added] = NONE;
    made[added] = known == null ? NONE : known;
    mayOverlap.set(added, left == right);
    return added;
  }

  private static long hash(String text) {
    long hash = 0;
    for (int i = 0; i < text.length(); i++) {
      hash = (hash + text.charAt(i) + 1) * 0x9E3779B97F4A7C15L;
    }
    return hash & Long.MAX_VALUE;
  }

  /** Candidates by count, highest first; then shorter text, then code point order. */
  private final class CandidateHeap {
    private int[] candidate = new int[1 << 12];
    private long[] count = new long[1 << 12];
    private int size;

    boolean isEmpty() {
      return size == 0;
    }

    long topCount() {
      return count[0];
    }

    void add(int newCandidate, long newCount) {
      if (size == candidate.length) {
        candidate = Arrays.copyOf(candidate, Math.multiplyExact(size, 2));
        count = Arrays.copyOf(count, candidate.length);
      }
      int at = size++;
      while (at > 0) {
        int parent = (at - 1) >> 1;
        if (!before(newCandidate, newCount, candidate[parent], count[parent])) {
          break;
        }
        candidate[at] = candidate[parent];
        count[at] = count[parent];
        at = parent;
      }
      candidate[at] = newCandidate;
      count[at] = newCount;
    }

    int poll() {
      int top = candidate[0];
      size--;
      int lastCandidate = candidate[size];
      long lastCount = count[size];
      int at = 0;
      while (true) {
        int child = 2 * at + 1;
        if (child >= size) {
          break;
        }
        if (child + 1 < size
            && before(candidate[child + 1], count[child + 1], candidate[child], count[child])) {
          child++;
        }
        if (!before(candidate[child], count[child], lastCandidate, lastCount)) {
          break;
        }
        candidate[at] = candidate[child];
        count[at] = count[child];
        at = child;
      }
      candidate[at] = lastCandidate;
      count[at] = lastCount;
      return top;
    }

    private boolean before(int a, long countA, int b, long countB) {
      return countA != countB ? countA > countB : compareTexts(a, b) < 0;
    }

    private int compareTexts(int a, int b) {
      String leftA = symbolText.get(leftOf[a]);
      String rightA = symbolText.get(rightOf[a]);
      String leftB = symbolText.get(leftOf[b]);
      String rightB = symbolText.get(rightOf[b]);
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
      return 0;
    }

    /** Puts surrogates above the rest of the basic plane, as in code point order. */
    private static int codePointOrder(char c) {
      return Character.isSurrogate(c) ? c + 0x10000 : c;
    }
  }
}
