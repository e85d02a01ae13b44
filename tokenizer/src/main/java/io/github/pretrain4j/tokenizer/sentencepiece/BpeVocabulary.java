package io.github.pretrain4j.tokenizer.sentencepiece;

import io.github.pretrain4j.tokenizer.CorruptTokenizerException;
import io.github.pretrain4j.tokenizer.bpe.MergeTable;
import java.util.Arrays;
import java.util.List;

/**
 * What a BPE model becomes for merging: integers, no strings. Immutable.
 *
 * <p>A <i>symbol</i> is what merging works on: the id of an ordinary piece, or an extra number for
 * a character that occurs in pieces but is none, or {@link #unknownSymbol}. The table of merges
 * holds every way to split a piece into two symbols.
 */
final class BpeVocabulary {
  /**
   * Bounds the memory a hostile model can claim; the largest real ones have a few hundred thousand.
   */
  private static final int MAX_MERGES = 1 << 24;

  final MergeTable merges;
  final int unknownSymbol;

  /** Characters of a symbol. */
  private final int[] symbolChars;

  /** The id a symbol ends as: reserved pieces come first, then ordinary ones, then unknown. */
  private final int[] finalId;

  private final int[] symbolOfChar = new int[1 << 16];
  private final LongIntMap symbolOfSupplementary = new LongIntMap(8);

  BpeVocabulary(PieceTable table) throws CorruptTokenizerException {
    List<SentencePieceModel.Piece> pieces = table.pieces();
    int symbolCount = numberCharacters(table);
    unknownSymbol = symbolCount;
    symbolChars = new int[symbolCount + 1];
    finalId = new int[symbolCount + 1];
    Arrays.fill(symbolChars, 1);
    Arrays.fill(finalId, table.unknownId());
    for (int id = 0; id < pieces.size(); id++) {
      String text = pieces.get(id).text();
      int chars = text.codePointCount(0, text.length());
      symbolChars[id] = chars;
      finalId[id] = table.id(text);
      if (chars == 1 && !table.type(id).mergeable() && table.texts().canOccur(id)) {
        finalId[symbolOf(text.codePointAt(0))] = table.id(text);
      }
    }
    merges = merges(table);
  }

  /** Gives every character of a piece its symbol and returns the number of symbols. */
  private int numberCharacters(PieceTable table) {
    Arrays.fill(symbolOfChar, -1);
    List<SentencePieceModel.Piece> pieces = table.pieces();
    for (int id = 0; id < pieces.size(); id++) {
      String text = pieces.get(id).text();
      int codePoint = text.codePointAt(0);
      if (table.type(id).mergeable()
          && text.length() == Character.charCount(codePoint)
          && table.texts().canOccur(id)) {
        setSymbol(codePoint, id);
      }
    }
    int next = pieces.size();
    for (int id = 0; id < pieces.size(); id++) {
      String text = pieces.get(id).text();
      if (!table.texts().canOccur(id)) {
        continue;
      }
      for (int i = 0; i < text.length(); ) {
        int codePoint = text.codePointAt(i);
        if (rawSymbol(codePoint) < 0) {
          setSymbol(codePoint, next++);
        }
        i += Character.charCount(codePoint);
      }
    }
    if (table.escapesSpaces()) {
      symbolOfChar[' '] = symbolOfChar[Normalizer.ESCAPED_SPACE];
    }
    return next;
  }

  private void setSymbol(int codePoint, int symbol) {
    if (codePoint < 0x10000) {
      symbolOfChar[codePoint] = symbol;
    } else {
      symbolOfSupplementary.put(codePoint, symbol);
    }
  }

  private int rawSymbol(int codePoint) {
    return codePoint < 0x10000 ? symbolOfChar[codePoint] : symbolOfSupplementary.get(codePoint);
  }

  /** The symbol of one character, or {@link #unknownSymbol}. */
  int symbolOf(int codePoint) {
    int symbol = rawSymbol(codePoint);
    return symbol < 0 ? unknownSymbol : symbol;
  }

  /** Characters of a symbol. */
  int charsOf(int symbol) {
    return symbolChars[symbol];
  }

  /** The id of a symbol that no merge took. */
  int idOf(int symbol) {
    return finalId[symbol];
  }

  private MergeTable merges(PieceTable pieces) throws CorruptTokenizerException {
    int[] rank = ranks(pieces.pieces());
    MergeTable.Builder table = new MergeTable.Builder(pieces.size() * 2);
    PieceTexts texts = pieces.texts();
    byte[] bytes = texts.bytes();
    int[] prefixSymbol = new int[4 * SentencePieceModel.MAX_PIECE_CHARS];
    int count = 0;
    for (int id = 0; id < pieces.size(); id++) {
      int start = texts.start(id);
      int end = texts.end(id);
      if (!pieces.type(id).mergeable() || end - start < 2) {
        continue;
      }
      long hash = 0;
      long power = 1;
      for (int i = start; i < end - 1; i++) {
        hash += ((bytes[i] & 0xFF) + 1) * power;
        power *= PieceTexts.FACTOR;
        if (texts.isBoundary(i + 1)) {
          prefixSymbol[i - start] = symbolOf(texts, start, i + 1, hash);
        }
      }
      hash = 0;
      for (int i = end - 1; i > start; i--) {
        hash = PieceTexts.extendFront(hash, bytes[i]);
        int left = texts.isBoundary(i) ? prefixSymbol[i - 1 - start] : -1;
        int right = left < 0 ? -1 : symbolOf(texts, i, end, hash);
        if (right >= 0) {
          if (++count > MAX_MERGES) {
            throw new CorruptTokenizerException(
                pieces.file(), 0, "ways to split the pieces", "at most " + MAX_MERGES, "more");
          }
          table.add(left, right, id, rank[id]);
        }
      }
    }
    return table.build();
  }

  /** The symbol of a part of a piece: an ordinary piece, or one character; -1 if neither. */
  private int symbolOf(PieceTexts texts, int from, int to, long hash) {
    byte[] bytes = texts.bytes();
    int length = Utf8.lengthByLead(bytes[from]);
    if (to - from == length) {
      return rawSymbol(Utf8.codePoint(bytes, from, length));
    }
    return texts.find(from, to, hash);
  }

  /** Order of merging, lower first; pieces of equal score share a rank. */
  private static int[] ranks(List<SentencePieceModel.Piece> pieces) {
    int count = pieces.size();
    float[] sorted = new float[count];
    for (int id = 0; id < count; id++) {
      sorted[id] = score(pieces.get(id));
    }
    Arrays.sort(sorted);
    int distinct = 0;
    for (int i = 0; i < count; i++) {
      if (i == 0 || sorted[i] != sorted[distinct - 1]) {
        sorted[distinct++] = sorted[i];
      }
    }
    int[] result = new int[count];
    for (int id = 0; id < count; id++) {
      int at = Arrays.binarySearch(sorted, 0, distinct, score(pieces.get(id)));
      result[id] = distinct - 1 - at;
    }
    return result;
  }

  /** -0.0 and 0.0 are one score. */
  private static float score(SentencePieceModel.Piece piece) {
    return piece.score() + 0.0f;
  }
}
