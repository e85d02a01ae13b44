package io.github.pretrain4j.tokenizer.sentencepiece;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.ObjLongConsumer;
import org.jspecify.annotations.Nullable;

/**
 * The text of a training, cut into <i>words</i> that no piece may cross, each kept once with its
 * count: where {@link WordCutter} cuts, and around user-defined symbols.
 */
final class TrainingWords {
  private static final int PROGRESS_INTERVAL = 10_000;

  private final WordCutter cutter;
  private final Normalizer normalizer;
  private final @Nullable UserSymbols userSymbols;
  private final @Nullable LongIntMap joined;
  private final TrainingSample sample;
  private final Map<String, long[]> counts = new LinkedHashMap<>();
  private long chars;

  /**
   * No words yet.
   *
   * @param userSymbols symbols that are no part of words
   * @param joined keys {@link LongIntMap#pair} of characters that must not be cut apart
   */
  TrainingWords(
      WordCutter cutter,
      Normalizer normalizer,
      @Nullable UserSymbols userSymbols,
      @Nullable LongIntMap joined,
      TrainingSample sample) {
    this.cutter = cutter;
    this.normalizer = normalizer;
    this.userSymbols = userSymbols;
    this.joined = joined;
    this.sample = sample;
  }

  /**
   * Takes all texts, or the sample of their sentences. Line ends within a text separate sentences,
   * as they do in a text file.
   */
  void addAll(Iterator<String> texts, TrainingProgress progress) {
    SentenceReservoir reservoir =
        sample.inputSentenceSize() == 0
            ? null
            : new SentenceReservoir(sample.inputSentenceSize(), sample.seed());
    long read = 0;
    while (texts.hasNext()) {
      String text = texts.next();
      int from = 0;
      for (int i = 0; i <= text.length(); i++) {
        if (i == text.length() || text.charAt(i) == '\n' || text.charAt(i) == '\r') {
          if (i > from) {
            String line = text.substring(from, i);
            if (reservoir == null) {
              add(line);
            } else {
              reservoir.add(line);
            }
          }
          from = i + 1;
        }
      }
      if (++read % PROGRESS_INTERVAL == 0) {
        progress.progress("reading", read, 0);
      }
    }
    progress.progress("reading", read, 0);
    if (reservoir != null) {
      progress.progress("sampling", reservoir.sentences().size(), reservoir.seen());
      reservoir.sentences().forEach(this::add);
    }
  }

  private void add(String sentence) {
    char[] text = normalizer.normalize(sentence).toCharArray();
    int start = 0;
    int carried = WordCutter.NO_CLASS;
    int previous = -1;
    for (int i = 0; i < text.length; ) {
      long user = userSymbols == null ? 0 : userSymbols.longestPrefix(text, i, text.length);
      if (user != 0) {
        count(text, start, i);
        i += (int) (user >>> 32);
        start = i;
        carried = WordCutter.NO_CLASS;
        previous = -1;
        continue;
      }
      int codePoint = Utf8.codePointAt(text, i, text.length);
      if (i > start
          && cutter.cutsBefore(codePoint, carried, previous == Normalizer.ESCAPED_SPACE)
          && !isJoined(previous, codePoint)) {
        count(text, start, i);
        start = i;
      }
      carried = cutter.classAfter(codePoint, carried);
      previous = codePoint;
      i += Character.charCount(codePoint);
    }
    count(text, start, text.length);
  }

  private boolean isJoined(int left, int right) {
    return joined != null && joined.get(LongIntMap.pair(left, right)) != LongIntMap.ABSENT;
  }

  private void count(char[] text, int from, int to) {
    if (to == from) {
      return;
    }
    long[] count = counts.computeIfAbsent(new String(text, from, to - from), w -> new long[1]);
    if (count[0]++ == 0) {
      chars += to - from;
      if (chars > sample.maxWordChars()) {
        throw new IllegalArgumentException(
            "the text has more than "
                + sample.maxWordChars()
                + " characters in different words; train on a sample of it (inputSentenceSize) or"
                + " allow more memory (maxWordChars)");
      }
    }
  }

  /** Forgets all words, whose memory the rest of a training can use. */
  void clear() {
    counts.clear();
  }

  /** How many different words there are. */
  int size() {
    return counts.size();
  }

  /** All words with their counts, in the order of their first appearance. */
  void forEach(ObjLongConsumer<String> action) {
    counts.forEach((word, count) -> action.accept(word, count[0]));
  }

  /**
   * The most frequent characters that make up the wanted share of the text, most frequent first,
   * code point order on a tie.
   */
  List<Integer> frequentCharacters(double coverage) {
    Map<Integer, long[]> byCharacter = new HashMap<>();
    long[] total = {0};
    forEach(
        (word, count) -> {
          for (int i = 0; i < word.length(); ) {
            int codePoint = word.codePointAt(i);
            i += Character.charCount(codePoint);
            if (codePoint != 0 && codePoint != ' ') {
              byCharacter.computeIfAbsent(codePoint, c -> new long[1])[0] += count;
              total[0] += count;
            }
          }
        });
    List<Map.Entry<Integer, long[]>> sorted = new ArrayList<>(byCharacter.entrySet());
    sorted.sort(
        (a, b) -> {
          int byCount = Long.compare(b.getValue()[0], a.getValue()[0]);
          return byCount != 0 ? byCount : Integer.compare(a.getKey(), b.getKey());
        });
    List<Integer> kept = new ArrayList<>();
    long covered = 0;
    for (Map.Entry<Integer, long[]> entry : sorted) {
      if (covered >= coverage * total[0]) {
        break;
      }
      covered += entry.getValue()[0];
      kept.add(entry.getKey());
    }
    return kept;
  }
}
