package io.github.pretrain4j.tokenizer.sentencepiece;

import io.github.pretrain4j.tokenizer.UnsupportedTokenizerException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Adds pieces to a BPE model, so that text of a new language or field takes fewer tokens: the step
 * with which Chinese LLaMA began. Old pieces keep ids, scores and types.
 *
 * <p>A BPE encoder merges by score, so new pieces get scores below all old ones: every text is
 * first divided as before, and only then do new pieces join what is left side by side. New pieces
 * are therefore learned, or taken, as pairs of what the model makes of a text with the pieces added
 * so far. That each of them is made from its own text is checked at the end.
 *
 * <p>The scripts that are in use for this give the new pieces of another model a score of 0, above
 * the old ones. Old texts are then divided anew, and a new piece is often never made, for its
 * halves are no pieces or its characters are taken by other merges.
 *
 * <p>Deterministic, in one thread.
 */
public final class VocabularyExtender {
  private final SentencePieceModel model;
  private final WordCutter cutter;
  private final @Nullable UserSymbols userSymbols;

  /** Pieces by text: those that merging can make, and the others. */
  private final Map<String, Integer> normal = new HashMap<>();

  private final Map<String, Integer> reserved = new HashMap<>();
  private final PieceMerges old = new PieceMerges();
  private final PieceMerges all = new PieceMerges();
  private final List<String> added = new ArrayList<>();
  private int nextRank;
  private float lowestScore = Float.POSITIVE_INFINITY;

  private VocabularyExtender(SentencePieceModel model) throws UnsupportedTokenizerException {
    this.model = model;
    requireSupported();
    cutter = new WordCutter(model.trainer().pieceRules);
    userSymbols = UserSymbols.of(model.pieces());
    List<SentencePieceModel.Piece> byScore = new ArrayList<>();
    for (int id = 0; id < model.pieces().size(); id++) {
      SentencePieceModel.Piece piece = model.pieces().get(id);
      if (piece.type().mergeable()) {
        normal.put(piece.text(), id);
        byScore.add(piece);
        lowestScore = Math.min(lowestScore, piece.score());
      } else {
        reserved.put(piece.text(), id);
      }
    }
    byScore.sort((a, b) -> Float.compare(b.score() + 0.0f, a.score() + 0.0f));
    float last = Float.NaN;
    for (SentencePieceModel.Piece piece : byScore) {
      nextRank += piece.score() == last ? 0 : 1; // pieces of one score share a rank
      last = piece.score();
      old.add(piece.text(), nextRank);
      all.add(piece.text(), nextRank);
    }
    nextRank++;
    lowestScore = byScore.isEmpty() ? 0 : lowestScore;
  }

  private void requireSupported() throws UnsupportedTokenizerException {
    if (model.trainer().modelType != TrainerSpec.BPE) {
      throw unsupported("the model type " + model.modelType(), "only BPE models have merges");
    }
    if (model.trainer().treatWhitespaceAsSuffix || !model.normalizer().escapeWhitespaces) {
      throw unsupported(
          "spaces at the ends of words, or not escaped", "only escaped ones before words are");
    }
    for (SentencePieceModel.Piece piece : model.pieces()) {
      if (piece.type() == PieceType.UNUSED) {
        throw unsupported(
            "the UNUSED piece " + piece.text(), "such pieces are taken apart after merging");
      }
    }
  }

  private UnsupportedTokenizerException unsupported(String what, String why) {
    return new UnsupportedTokenizerException(model.file(), what, "an extension: " + why);
  }

  /**
   * Learns new pieces from text, as a BPE training would go on from where the old model divides it.
   *
   * @param texts line ends within one separate sentences
   * @throws IllegalArgumentException if the text has too few different pairs; the message says how
   *     many there are
   * @throws UnsupportedTokenizerException if the model is none that can be extended
   */
  public static Extension learn(
      SentencePieceModel model,
      Iterator<String> texts,
      ExtensionConfig config,
      TrainingProgress progress)
      throws UnsupportedTokenizerException {
    return new VocabularyExtender(model).learn(texts, config, progress);
  }

  /**
   * Adds given pieces, as they are written in a vocabulary. Those that are there already are passed
   * over. A piece can be added if two parts make it that its text is divided into, by the old
   * pieces and those added before; the others are tried again after each addition, and what cannot
   * be made in the end is reported.
   *
   * @throws UnsupportedTokenizerException if the model is none that can be extended
   */
  public static Extension add(SentencePieceModel model, List<String> pieces)
      throws UnsupportedTokenizerException {
    return new VocabularyExtender(model).add(pieces);
  }

  private Extension learn(
      Iterator<String> texts, ExtensionConfig config, TrainingProgress progress) {
    TrainingWords words =
        new TrainingWords(
            cutter,
            TrainingInput.normalizer(model.normalizer(), model.pieces()),
            userSymbols,
            neighboursInPieces(),
            config.sample());
    words.addAll(texts, progress);
    for (int codePoint : words.frequentCharacters(config.characterCoverage())) {
      String character = Character.toString(codePoint);
      if (added.size() < config.pieces()
          && !normal.containsKey(character)
          && !reserved.containsKey(character)) {
        append(character);
      }
    }
    BpeMerging merging = new BpeMerging(text -> cutter.allows(text) && !reserved.containsKey(text));
    for (String piece : normal.keySet().stream().sorted().toList()) {
      merging.addSymbol(piece, all.rank(piece));
    }
    for (String character : added) {
      merging.addSymbol(character, all.rank(character));
    }
    words.forEach((word, count) -> merging.addWord(word, old.ends(word), count));
    words.clear();
    int characters = added.size();
    merging.run(config.pieces() - characters, progress).forEach(this::append);
    if (added.size() < config.pieces()) {
      throw new IllegalArgumentException(
          "pieces "
              + config.pieces()
              + " is more than this text yields; use at most "
              + added.size()
              + " or more text");
    }
    return extension(List.of());
  }

  private Extension add(List<String> pieces) {
    Normalizer rules = characterRules();
    Set<String> wanted = new HashSet<>();
    List<String> waiting = new ArrayList<>();
    List<String> unreachable = new ArrayList<>();
    for (String piece : pieces) {
      if (piece.isEmpty() || !wanted.add(piece) || normal.containsKey(piece)) {
        continue;
      }
      if (!survives(piece, rules)) {
        unreachable.add(piece);
      } else if (piece.codePointCount(0, piece.length()) == 1) {
        append(piece);
      } else {
        waiting.add(piece);
      }
    }
    // Pieces usually come with their halves before them, so one pass adds nearly all.
    boolean more = true;
    while (more) {
      more = false;
      List<String> left = new ArrayList<>();
      for (String piece : waiting) {
        if (all.ends(piece).length == 2) {
          append(piece);
          more = true;
        } else {
          left.add(piece);
        }
      }
      waiting = left;
    }
    unreachable.addAll(waiting);
    return extension(unreachable);
  }

  /** Whether text that contains the piece still does when it is ready for merging. */
  private boolean survives(String piece, Normalizer rules) {
    if (reserved.containsKey(piece) || piece.length() > SentencePieceModel.MAX_PIECE_CHARS) {
      return false;
    }
    char[] chars = piece.toCharArray();
    for (int i = 0; i < chars.length && userSymbols != null; i++) {
      if (userSymbols.longestPrefix(chars, i, chars.length) != 0) {
        return false;
      }
    }
    String text = piece.replace(Normalizer.ESCAPED_SPACE, ' ');
    boolean doubled = piece.contains("\u2581\u2581") && model.removeExtraWhitespaces();
    return !doubled && rules.normalize(text).equals(piece);
  }

  /** The model's rules for characters, without anything about spaces. */
  private Normalizer characterRules() {
    NormalizerSpec spec = new NormalizerSpec();
    spec.precompiledCharsmap = model.normalizer().precompiledCharsmap;
    spec.addDummyPrefix = false;
    spec.removeExtraWhitespaces = false;
    return TrainingInput.normalizer(spec, model.pieces());
  }

  private void append(String piece) {
    added.add(piece);
    all.add(piece, nextRank++);
  }

  /** Characters that stand side by side in a piece: words are not cut between them. */
  private LongIntMap neighboursInPieces() {
    LongIntMap pairs = new LongIntMap(normal.size());
    for (String piece : normal.keySet()) {
      int[] codePoints = piece.codePoints().toArray();
      for (int i = 1; i < codePoints.length; i++) {
        pairs.put(LongIntMap.pair(codePoints[i - 1], codePoints[i]), 0);
      }
    }
    return pairs;
  }

  private Extension extension(List<String> unreachable) {
    List<SentencePieceModel.Piece> pieces = new ArrayList<>();
    List<int[]> oldIds = new ArrayList<>();
    float score = lowestScore;
    for (String text : added) {
      score = Math.min(score - 1, Math.nextDown(score));
      if (score == Float.NEGATIVE_INFINITY) {
        throw new IllegalArgumentException("there is no score below " + lowestScore);
      }
      pieces.add(new SentencePieceModel.Piece(text, score, PieceType.NORMAL));
      oldIds.add(oldIds(text));
      if (all.ends(text).length != 1) {
        throw new IllegalStateException("the new piece " + text + " would never be made");
      }
    }
    return new Extension(model.withMorePieces(pieces), model.pieces().size(), oldIds, unreachable);
  }

  private int[] oldIds(String text) {
    int[] ids = new int[text.length() * 4];
    int count = 0;
    int from = 0;
    for (int end : old.ends(text)) {
      String part = text.substring(from, end);
      Integer id = reserved.getOrDefault(part, normal.get(part));
      if (id != null) {
        ids[count++] = id;
      } else if (model.byteFallback()) {
        for (byte b : part.getBytes(StandardCharsets.UTF_8)) {
          ids[count++] = reserved.getOrDefault("<0x%02X>".formatted(b & 0xFF), 0);
        }
      } else if (count == 0 || ids[count - 1] != unknownId()) { // a run of unknown is one
        ids[count++] = unknownId();
      }
      from = end;
    }
    return Arrays.copyOf(ids, count);
  }

  private int unknownId() {
    for (int id = 0; ; id++) {
      if (model.pieces().get(id).type() == PieceType.UNKNOWN) {
        return id;
      }
    }
  }
}
