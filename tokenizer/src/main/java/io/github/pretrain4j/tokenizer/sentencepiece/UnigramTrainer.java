package io.github.pretrain4j.tokenizer.sentencepiece;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Trains a unigram vocabulary, SentencePiece's default kind: from many frequent strings, those go
 * whose loss costs the text the least probability, a share at a time, until enough are gone;
 * between prunings expectation maximisation finds the probabilities of those that are left.
 *
 * <p>After the special pieces come the others by falling score. Characters that the coverage asks
 * for are always among them.
 *
 * <p>Deterministic: the same sentences, in whatever order, and configuration give the same file on
 * every Java. One thread. Words are cut before the training at every place no piece may span, which
 * changes no probability, and counted; seeds are counted within words, where SentencePiece counts
 * them in whole sentences, so vocabularies are alike, not equal.
 *
 * @see <a href="https://aclanthology.org/P18-1007">Kudo, 2018</a>
 */
public final class UnigramTrainer {
  /** Pieces that remain before the last cut, by which scores settle: SentencePiece's 1.1. */
  private static final double SURPLUS = 1.1;

  /** Pieces expected less often go after each estimation. */
  private static final double LEAST_EXPECTED = 0.5;

  private final TrainingInput input;
  private final UnigramTrainerConfig config;
  private final TrainingProgress progress;

  /** Characters of symbols 1, 2, ... in code point order. */
  private final int[] characters;

  /** The words, each followed by {@link UnigramSeeds#END}, then the symbols one by one. */
  private int[] text = {};

  private int[] wordStart = {};
  private int[] wordEnd = {};
  private long[] wordCount = {};

  // The pieces, in the order of their symbols.
  private int[] start = {};
  private int[] length = {};
  private double[] score = {};

  private UnigramTrainer(
      TrainingInput input, UnigramTrainerConfig config, TrainingProgress progress) {
    this.input = input;
    this.config = config;
    this.progress = progress;
    characters = input.characters.stream().mapToInt(c -> c.codePointAt(0)).sorted().toArray();
  }

  /**
   * Trains a model.
   *
   * @param sentences the text; line ends within one separate sentences, as they do in a text file
   * @throws IllegalArgumentException if the text has too few different strings for the vocabulary,
   *     or the vocabulary has too little room for the characters (the message says which size
   *     works), or the text is more than the configuration's sample allows
   */
  public static SentencePieceModel train(
      Iterator<String> sentences,
      TrainerConfig common,
      UnigramTrainerConfig config,
      TrainingProgress progress) {
    TrainingInput input = TrainingInput.read(sentences, common, progress);
    return new UnigramTrainer(input, config, progress).train();
  }

  private SentencePieceModel train() {
    layOutWords();
    findSeeds();
    int wanted = (int) (input.config.vocabularySize() * SURPLUS);
    while (true) {
      for (int i = 0; i < config.subIterations(); i++) {
        estimate();
      }
      progress.progress("pruning", start.length, wanted);
      if (start.length <= wanted) {
        break;
      }
      int before = start.length;
      prune(Math.max(wanted, (int) (config.shrinkingFactor() * before)));
      if (start.length == before) {
        break; // nothing is left that could go
      }
    }
    return input.model(TrainerSpec.UNIGRAM, finalPieces());
  }

  /**
   * The words with their counts. Characters without a symbol cut a word, so a part of one can be a
   * word of its own.
   */
  private Map<String, Long> wordsOfSymbols(Map<Integer, Integer> symbolOf) {
    Map<String, Long> counts = new HashMap<>();
    input.words.forEach(
        (word, count) -> {
          int from = 0;
          for (int i = 0; i < word.length(); ) {
            int codePoint = word.codePointAt(i);
            int next = i + Character.charCount(codePoint);
            if (!symbolOf.containsKey(codePoint)) {
              if (i > from) {
                counts.merge(word.substring(from, i), count, Long::sum);
              }
              from = next;
            }
            i = next;
          }
          if (word.length() > from) {
            counts.merge(word.substring(from), count, Long::sum);
          }
        });
    input.words.clear();
    return counts;
  }

  private void layOutWords() {
    Map<Integer, Integer> symbolOf = new HashMap<>();
    for (int i = 0; i < characters.length; i++) {
      symbolOf.put(characters[i], i + 1);
    }
    Map<String, Long> counts = wordsOfSymbols(symbolOf);
    List<String> words = new ArrayList<>(counts.keySet());
    words.sort(null); // so that sums do not depend on the order of the sentences
    long size = characters.length;
    for (String word : words) {
      size += word.codePointCount(0, word.length()) + 1L;
    }
    text = new int[Math.toIntExact(size)];
    wordStart = new int[words.size()];
    wordEnd = new int[words.size()];
    wordCount = new long[words.size()];
    int at = 0;
    for (int i = 0; i < words.size(); i++) {
      String word = words.get(i);
      wordStart[i] = at;
      for (int k = 0; k < word.length(); ) {
        int codePoint = word.codePointAt(k);
        text[at++] = symbolOf.getOrDefault(codePoint, UnigramSeeds.END);
        k += Character.charCount(codePoint);
      }
      wordEnd[i] = at;
      wordCount[i] = counts.getOrDefault(word, 0L);
      text[at++] = UnigramSeeds.END;
    }
    for (int symbol = 1; symbol <= characters.length; symbol++) {
      text[at++] = symbol;
    }
  }

  /** The seeds and all characters; scores are logarithms of their shares. */
  private void findSeeds() {
    int wordsLength = text.length - characters.length;
    long[] countAt = new long[wordsLength];
    long[] characterCount = new long[characters.length + 1];
    for (int i = 0; i < wordStart.length; i++) {
      for (int at = wordStart[i]; at < wordEnd[i]; at++) {
        countAt[at] = wordCount[i];
        characterCount[text[at]] += wordCount[i];
      }
    }
    progress.progress("finding seeds", wordsLength, 0);
    UnigramSeeds seeds =
        new UnigramSeeds(
            Arrays.copyOf(text, wordsLength),
            characters.length + 1,
            countAt,
            input.config.pieceRules().maxPieceLength(),
            config.seedPieces(),
            (from, size) -> {
              String piece = string(from, size);
              return input.cutter.allows(piece) && !input.specialTexts.contains(piece);
            });
    int total = seeds.start.length + characters.length;
    start = new int[total];
    length = new int[total];
    score = new double[total];
    double sum = 0;
    int at = 0;
    int seed = 0;
    for (int symbol = 1; symbol <= characters.length; symbol++) {
      start[at] = wordsLength + symbol - 1;
      length[at] = 1;
      score[at++] = characterCount[symbol];
      while (seed < seeds.start.length && text[seeds.start[seed]] == symbol) {
        start[at] = seeds.start[seed];
        length[at] = seeds.length[seed];
        score[at++] = seeds.score[seed++];
      }
    }
    for (double share : score) {
      sum += share;
    }
    double logSum = StrictMath.log(sum);
    for (int i = 0; i < total; i++) {
      score[i] = StrictMath.log(score[i]) - logSum;
    }
  }

  private String string(int from, int size) {
    StringBuilder piece = new StringBuilder(size);
    for (int i = from; i < from + size; i++) {
      piece.appendCodePoint(characters[text[i] - 1]);
    }
    return piece.toString();
  }

  private UnigramLattice lattice() {
    SymbolTrie trie = new SymbolTrie(text, start, length, characters.length + 1);
    return new UnigramLattice(text, trie, length, score);
  }

  /**
   * One round of expectation maximisation, in the Bayesian form that SentencePiece uses: a piece's
   * score is {@code digamma(expected count) - digamma(sum)}, which favours few pieces.
   */
  private void estimate() {
    double[] expected = new double[start.length];
    UnigramLattice lattice = lattice();
    for (int i = 0; i < wordStart.length; i++) {
      lattice.addExpected(wordStart[i], wordEnd[i], (double) wordCount[i], expected);
    }
    boolean[] stays = new boolean[start.length];
    double sum = 0;
    for (int i = 0; i < start.length; i++) {
      if (length[i] == 1) {
        expected[i] = Math.max(expected[i], LEAST_EXPECTED);
      }
      stays[i] = expected[i] >= LEAST_EXPECTED;
      sum += stays[i] ? expected[i] : 0;
    }
    double logSum = digamma(sum);
    for (int i = 0; i < start.length; i++) {
      score[i] = stays[i] ? digamma(expected[i]) - logSum : 0;
    }
    keep(stays);
  }

  /**
   * Removes pieces whose absence costs the text the least. Without a piece, each of its occurrences
   * is taken to become the best segmentation of its text by the others.
   */
  private void prune(int wanted) {
    double[] frequency = new double[start.length];
    UnigramLattice lattice = lattice();
    for (int i = 0; i < wordStart.length; i++) {
      lattice.addBest(wordStart[i], wordEnd[i], (double) wordCount[i], frequency);
    }
    double sum = 0;
    for (double count : frequency) {
      sum += count;
    }
    double logSum = StrictMath.log(sum);
    double[] loss = new double[start.length];
    for (int i = 0; i < start.length; i++) {
      if (length[i] == 1) {
        loss[i] = Double.POSITIVE_INFINITY;
        continue;
      }
      loss[i] = Double.NEGATIVE_INFINITY;
      if (frequency[i] == 0) {
        continue;
      }
      int[] others = lattice.bestWithout(start[i], start[i] + length[i], i);
      double othersScore = 0;
      double othersLog = 0;
      double logSumWithout = StrictMath.log(sum + frequency[i] * (others.length - 1));
      for (int other : others) {
        othersScore += score[other];
        othersLog += StrictMath.log(frequency[other] + frequency[i]) - logSumWithout;
      }
      if (othersScore <= score[i]) {
        loss[i] = frequency[i] * (StrictMath.log(frequency[i]) - logSum - othersLog);
      }
    }
    boolean[] stays = Largest.of(loss, wanted);
    for (int i = 0; i < stays.length; i++) {
      stays[i] &= loss[i] != Double.NEGATIVE_INFINITY;
      stays[i] |= length[i] == 1;
    }
    keep(stays);
  }

  private void keep(boolean[] stays) {
    int kept = 0;
    for (int i = 0; i < stays.length; i++) {
      if (stays[i]) {
        start[kept] = start[i];
        length[kept] = length[i];
        score[kept++] = score[i];
      }
    }
    start = Arrays.copyOf(start, kept);
    length = Arrays.copyOf(length, kept);
    score = Arrays.copyOf(score, kept);
  }

  /** The characters and, of the rest, those with the highest scores. */
  private List<SentencePieceModel.Piece> finalPieces() {
    Set<String> required = new HashSet<>(input.characters);
    required.removeAll(input.specialTexts);
    List<SentencePieceModel.Piece> all = new ArrayList<>();
    for (int i = 0; i < start.length; i++) {
      String piece = string(start[i], length[i]);
      if (!input.specialTexts.contains(piece)) {
        all.add(new SentencePieceModel.Piece(piece, (float) score[i], PieceType.NORMAL));
      }
    }
    all.sort(
        (a, b) -> {
          int byScore = Float.compare(b.score(), a.score());
          return byScore != 0 ? byScore : a.text().compareTo(b.text());
        });
    List<SentencePieceModel.Piece> chosen = new ArrayList<>();
    int room = input.wantedPieces();
    for (SentencePieceModel.Piece piece : all) {
      if (required.contains(piece.text()) || room-- > 0) {
        chosen.add(piece);
      }
    }
    input.requireAllFound(chosen.size() - required.size());
    return chosen;
  }

  /** The logarithmic derivative of the gamma function, for positive numbers. */
  static double digamma(double value) {
    double x = value;
    double result = 0;
    for (; x < 7; x++) {
      result -= 1 / x;
    }
    // The asymptotic series in 1 / (x - 1/2), whose odd powers vanish.
    double shifted = x - 0.5;
    double square = 1 / (shifted * shifted);
    return result
        + StrictMath.log(shifted)
        + square
            * (1.0 / 24 - square * (7.0 / 960 - square * (31.0 / 8064 - square * (127.0 / 30720))));
  }
}
