package io.github.pretrain4j.tokenizer.huggingface;

import io.github.pretrain4j.tokenizer.UnsupportedTokenizerException;
import io.github.pretrain4j.tokenizer.bpe.MergeTable;
import io.github.pretrain4j.tokenizer.bpe.Merger;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The model {@code BPE}: from the bytes of a pre-token to its first symbols, which are ids, and
 * what merges with what. Immutable; the texts are UTF-8.
 *
 * <p>After {@code ByteLevel}, a symbol is a byte. Otherwise it is a character, or if the vocabulary
 * does not have that, its bytes as {@code <0xHH>} or the unknown token.
 */
final class BpeModel {
  private static final int NO_SYMBOL = -1;
  private static final int BMP = 0x10000;

  final MergeTable merges;
  final Cuts cuts;
  private final boolean byteLevel;

  /** Symbols of bytes if byte-level, otherwise of characters below U+10000. */
  private final int[] symbols;

  private final Map<Integer, Integer> supplementarySymbols = new HashMap<>();
  private final int[] byteFallback;
  private final int unknown;
  private final boolean fuseUnknown;

  /**
   * What {@code ignore_merges} is about: pre-tokens that are tokens but would be merged to
   * something else. Mostly empty.
   */
  private final ByteIndex unmerged = new ByteIndex();

  private int longestUnmerged;

  BpeModel(TokenizerFile file, boolean byteLevel) throws UnsupportedTokenizerException {
    this.byteLevel = byteLevel;
    ByteIndex vocabulary = file.vocabulary;
    unknown = unknown(file);
    fuseUnknown = file.fuseUnk && unknown >= 0;
    byteFallback = byteFallback(file);
    symbols = new int[byteLevel ? 256 : BMP];
    Arrays.fill(symbols, NO_SYMBOL);
    if (byteLevel) {
      findByteSymbols(file);
    } else {
      findCharacterSymbols(vocabulary);
    }
    merges = mergeTable(file);
    cuts = findCuts(file);
    if (file.ignoreMerges) {
      findUnmerged(vocabulary);
    }
  }

  private static int unknown(TokenizerFile file) throws UnsupportedTokenizerException {
    if (file.unkToken == null) {
      return NO_SYMBOL;
    }
    byte[] text = file.unkToken.getBytes(StandardCharsets.UTF_8);
    int id = file.vocabulary.find(text, 0, text.length);
    if (id < 0) {
      throw file.unsupported("model unk_token \"" + file.unkToken + "\" outside the vocabulary");
    }
    return id;
  }

  /** The ids of {@code <0x00>} to {@code <0xFF>}; empty without fallback. */
  private static int[] byteFallback(TokenizerFile file) throws UnsupportedTokenizerException {
    int[] ids = new int[256];
    int found = 0;
    for (int b = 0; b < 256 && file.byteFallback; b++) {
      byte[] text = String.format("<0x%02X>", b).getBytes(StandardCharsets.US_ASCII);
      ids[b] = file.vocabulary.find(text, 0, text.length);
      found += ids[b] >= 0 ? 1 : 0;
    }
    if (found == 0) {
      return new int[0];
    }
    if (found < 256) {
      throw file.unsupported("model byte_fallback with " + found + " of 256 bytes");
    }
    return ids;
  }

  private void findByteSymbols(TokenizerFile file) throws UnsupportedTokenizerException {
    ByteAlphabet alphabet = new ByteAlphabet();
    byte[] text = new byte[4];
    for (int b = 0; b < 256; b++) {
      symbols[b] = file.vocabulary.find(text, 0, Utf8.put(alphabet.character(b), text, 0));
      if (symbols[b] < 0 && (unknown >= 0 || byteFallback.length > 0)) {
        throw file.unsupported("model BPE without byte " + b + " but with a substitute");
      }
    }
  }

  private void findCharacterSymbols(ByteIndex vocabulary) {
    byte[] arena = vocabulary.arena();
    for (int entry = 0; entry < vocabulary.size(); entry++) {
      int begin = vocabulary.begin(entry);
      int end = vocabulary.end(entry);
      if (end > begin && end - begin == Utf8.length(arena[begin])) {
        int codePoint = Utf8.codePoint(arena, begin);
        if (codePoint < BMP) {
          symbols[codePoint] = vocabulary.id(entry);
        } else {
          supplementarySymbols.put(codePoint, vocabulary.id(entry));
        }
      }
    }
  }

  private MergeTable mergeTable(TokenizerFile file) throws UnsupportedTokenizerException {
    boolean[] substitute = new boolean[file.vocabularyIds];
    if (unknown >= 0) {
      substitute[unknown] = true;
    }
    for (int id : byteFallback) {
      substitute[id] = true;
    }
    MergeTable.Builder builder = new MergeTable.Builder(file.mergeCount);
    // The last of two for one pair counts.
    for (int i = file.mergeCount - 1; i >= 0; i--) {
      int left = file.merges[3 * i];
      int right = file.merges[3 * i + 1];
      if (substitute[left] || substitute[right]) {
        throw file.unsupported("model merge " + i + " of the unknown token or a byte");
      }
      builder.add(left, right, file.merges[3 * i + 2], i);
    }
    return builder.build();
  }

  private Cuts findCuts(TokenizerFile file) {
    boolean[] merged = new boolean[file.vocabularyIds];
    int count = 0;
    for (int i = 0; i < file.mergeCount; i++) {
      int id = file.merges[3 * i + 2];
      count += merged[id] ? 0 : 1;
      merged[id] = true;
    }
    Cuts result = new Cuts(count);
    forEachText(
        file.vocabulary,
        (id, bytes, length) -> {
          if (merged[id]) {
            result.add(bytes, 0, length);
          }
        });
    result.finish();
    return result;
  }

  private void findUnmerged(ByteIndex vocabulary) {
    Merger merger = new Merger(merges);
    int[][] work = {new int[256]};
    forEachText(
        vocabulary,
        (id, bytes, length) -> {
          if (work[0].length < length) {
            work[0] = new int[2 * length];
          }
          int count = merger.merge(work[0], firstSymbols(bytes, 0, length, work[0]));
          if (count != 1 || work[0][0] != id) {
            unmerged.add(bytes, 0, length, id);
            longestUnmerged = Math.max(longestUnmerged, length);
          }
        });
  }

  /** Takes a token that some text may become. */
  private interface TokenText {
    void accept(int id, byte[] bytes, int length);
  }

  /** All tokens as the bytes of a text, but for those that no text has. */
  private void forEachText(ByteIndex vocabulary, TokenText action) {
    ByteAlphabet alphabet = new ByteAlphabet();
    byte[] bytes = new byte[256];
    byte[] arena = vocabulary.arena();
    for (int entry = 0; entry < vocabulary.size(); entry++) {
      int begin = vocabulary.begin(entry);
      int end = vocabulary.end(entry);
      if (bytes.length < end - begin) {
        bytes = new byte[2 * (end - begin)];
      }
      int length = end - begin;
      if (byteLevel) {
        length = alphabet.toBytes(arena, begin, end, bytes, 0);
      } else {
        System.arraycopy(arena, begin, bytes, 0, length);
      }
      if (length > 0) {
        action.accept(vocabulary.id(entry), bytes, length);
      }
    }
  }

  /** Whether {@code ignore_merges} makes a difference for some pre-token. */
  boolean hasUnmerged() {
    return longestUnmerged > 0;
  }

  /** The id of a whole pre-token that {@code ignore_merges} keeps from being merged, or -1. */
  int unmerged(byte[] text, int from, int to) {
    return to - from > longestUnmerged ? ByteIndex.NONE : unmerged.find(text, from, to);
  }

  /** Whether {@link Cuts} hold before a character: neighbouring unknown ones may be one id. */
  boolean mayCut(byte[] text, int at) {
    if (!fuseUnknown) {
      return true;
    }
    int before = at - 1;
    while (Utf8.isContinuation(text[before])) {
      before--;
    }
    return isKnown(text, before) || isKnown(text, at);
  }

  private boolean isKnown(byte[] text, int at) {
    return symbol(Utf8.codePoint(text, at)) >= 0;
  }

  private int symbol(int codePoint) {
    return codePoint < BMP
        ? symbols[codePoint]
        : supplementarySymbols.getOrDefault(codePoint, NO_SYMBOL);
  }

  /**
   * Writes the symbols of {@code [from, to)} before any merge, at most one for each byte, and
   * returns their number.
   */
  int firstSymbols(byte[] text, int from, int to, int[] out) {
    return byteLevel
        ? byteSymbols(text, from, to, out)
        : characterSymbols(text, from, to, out, null);
  }

  /** The same, and how many bytes of text each symbol stands for. */
  int firstSymbols(byte[] text, int from, int to, int[] out, int[] lengths) {
    if (byteLevel) {
      Arrays.fill(lengths, 0, to - from, 1);
      return byteSymbols(text, from, to, out);
    }
    return characterSymbols(text, from, to, out, lengths);
  }

  private int byteSymbols(byte[] text, int from, int to, int[] out) {
    int count = 0;
    for (int at = from; at < to; at++) {
      int symbol = symbols[text[at] & 0xFF];
      if (symbol >= 0) {
        out[count++] = symbol;
      }
    }
    return count;
  }

  private int characterSymbols(byte[] text, int from, int to, int[] out, int @Nullable [] lengths) {
    int count = 0;
    boolean afterUnknown = false;
    for (int at = from; at < to; ) {
      int length = Utf8.length(text[at]);
      int symbol = symbol(Utf8.codePoint(text, at));
      boolean isUnknown = false;
      if (symbol < 0 && byteFallback.length > 0) {
        for (int i = 0; i < length; i++) {
          out[count] = byteFallback[text[at + i] & 0xFF];
          if (lengths != null) {
            lengths[count] = 1;
          }
          count++;
        }
      } else if (symbol < 0 && unknown >= 0) {
        isUnknown = true;
        if (afterUnknown && fuseUnknown) {
          if (lengths != null) {
            lengths[count - 1] += length;
          }
        } else {
          out[count] = unknown;
          if (lengths != null) {
            lengths[count] = length;
          }
          count++;
        }
      } else if (symbol >= 0) {
        out[count] = symbol;
        if (lengths != null) {
          lengths[count] = length;
        }
        count++;
      }
      // A character that has no symbol at all vanishes, and unknown ones around it are fused.
      afterUnknown = isUnknown;
      at += length;
    }
    return count;
  }

  /** How many bytes of text a token of merged symbols stands for. */
  int textLength(byte[] token) {
    if (!byteLevel) {
      return token.length;
    }
    int length = 0;
    for (byte b : token) {
      length += Utf8.isContinuation(b) ? 0 : 1;
    }
    return length;
  }
}
