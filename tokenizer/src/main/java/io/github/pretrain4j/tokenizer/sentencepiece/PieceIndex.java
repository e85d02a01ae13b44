package io.github.pretrain4j.tokenizer.sentencepiece;

import java.util.Arrays;
import java.util.List;

/**
 * Finds ordinary pieces (those that merging may produce) by their text. Immutable once built.
 *
 * <p>The hash is {@code sum of (text[k] + 1) * FACTOR^k} modulo 2^64, so that the hashes of all
 * prefixes and all suffixes of a string take one walk each.
 */
final class PieceIndex {
  static final long FACTOR = 0x9E3779B97F4A7C15L;

  private final char[] texts;
  private final int[] textStart;
  private final long[] hashes;
  private final int[] slots;

  PieceIndex(List<SentencePieceModel.Piece> pieces) {
    int count = pieces.size();
    int chars = 0;
    for (SentencePieceModel.Piece piece : pieces) {
      chars += piece.text().length();
    }
    texts = new char[chars];
    textStart = new int[count + 1];
    hashes = new long[count];
    slots = new int[Integer.highestOneBit(Math.max(4, count)) * 4];
    Arrays.fill(slots, -1);
    int at = 0;
    for (int id = 0; id < count; id++) {
      String text = pieces.get(id).text();
      text.getChars(0, text.length(), texts, at);
      textStart[id] = at;
      at += text.length();
      textStart[id + 1] = at;
      if (pieces.get(id).type().mergeable()) {
        insert(id);
      }
    }
  }

  private void insert(int id) {
    long hash = 0;
    for (int i = textStart[id + 1] - 1; i >= textStart[id]; i--) {
      hash = extendFront(hash, texts[i]);
    }
    hashes[id] = hash;
    int slot = slot(hash);
    while (slots[slot] >= 0) {
      slot = (slot + 1) & (slots.length - 1);
    }
    slots[slot] = id;
  }

  /** The hash of {@code c} followed by the text that has {@code hash}. */
  static long extendFront(long hash, char c) {
    return hash * FACTOR + c + 1;
  }

  char[] texts() {
    return texts;
  }

  int start(int id) {
    return textStart[id];
  }

  int end(int id) {
    return textStart[id + 1];
  }

  /** The ordinary piece equal to {@code texts()[from, to)}, or -1. */
  int find(int from, int to, long hash) {
    for (int slot = slot(hash); slots[slot] >= 0; slot = (slot + 1) & (slots.length - 1)) {
      int id = slots[slot];
      if (hashes[id] == hash
          && Arrays.equals(texts, from, to, texts, textStart[id], textStart[id + 1])) {
        return id;
      }
    }
    return -1;
  }

  private int slot(long hash) {
    long mixed = (hash ^ hash >>> 29) * 0xBF58476D1CE4E5B9L;
    return (int) (mixed >>> 32) & (slots.length - 1);
  }
}
