package io.github.pretrain4j.tokenizer.sentencepiece;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;

/**
 * The texts of all pieces as they occur in prepared text: UTF-8, with U+2581 written as one space
 * byte where the model escapes spaces. Immutable.
 *
 * <p>Where spaces are escaped, a piece that holds a real space can match nothing: it has no bytes.
 *
 * <p>Finds pieces by text with the hash {@code sum of (byte[k] + 1) * FACTOR^k} modulo 2^64, so
 * that the hashes of all prefixes and all suffixes of a text take one walk each.
 */
final class PieceTexts {
  static final long FACTOR = 0x9E3779B97F4A7C15L;

  private final byte[] bytes;
  private final int[] start;
  private final long[] hashes;
  private final int[] slots;

  /** Texts of all pieces; {@link #find} knows the ordinary ones. */
  PieceTexts(List<SentencePieceModel.Piece> pieces, boolean escapeWhitespaces) {
    int count = pieces.size();
    start = new int[count + 1];
    byte[] all = new byte[16 * count];
    int at = 0;
    for (int id = 0; id < count; id++) {
      byte[] text = prepared(pieces.get(id).text(), escapeWhitespaces);
      if (all.length - at < text.length) {
        all = Arrays.copyOf(all, Math.addExact(at + text.length, all.length));
      }
      System.arraycopy(text, 0, all, at, text.length);
      start[id] = at;
      at += text.length;
    }
    start[count] = at;
    bytes = Arrays.copyOf(all, at);
    hashes = new long[count];
    slots = new int[Integer.highestOneBit(Math.max(4, count)) * 4];
    Arrays.fill(slots, -1);
    for (int id = 0; id < count; id++) {
      if (pieces.get(id).type().mergeable() && start[id] < start[id + 1]) {
        insert(id);
      }
    }
  }

  /** How a text occurs in prepared text; empty if it cannot. */
  static byte[] prepared(String text, boolean escapeWhitespaces) {
    if (!escapeWhitespaces) {
      return text.getBytes(StandardCharsets.UTF_8);
    }
    return text.indexOf(' ') >= 0
        ? new byte[0]
        : text.replace(Normalizer.ESCAPED_SPACE, ' ').getBytes(StandardCharsets.UTF_8);
  }

  private void insert(int id) {
    long hash = 0;
    for (int i = start[id + 1] - 1; i >= start[id]; i--) {
      hash = extendFront(hash, bytes[i]);
    }
    hashes[id] = hash;
    int slot = slot(hash);
    while (slots[slot] >= 0) {
      slot = (slot + 1) & (slots.length - 1);
    }
    slots[slot] = id;
  }

  /** The hash of {@code b} followed by the text that has {@code hash}. */
  static long extendFront(long hash, byte b) {
    return hash * FACTOR + (b & 0xFF) + 1;
  }

  byte[] bytes() {
    return bytes;
  }

  int start(int id) {
    return start[id];
  }

  int end(int id) {
    return start[id + 1];
  }

  /** Whether the piece can occur in prepared text. */
  boolean canOccur(int id) {
    return start[id] < start[id + 1];
  }

  /** Whether {@code i} is the first byte of a character. */
  boolean isBoundary(int i) {
    return (bytes[i] & 0xC0) != 0x80;
  }

  /** The ordinary piece equal to {@code bytes()[from, to)}, or -1. */
  int find(int from, int to, long hash) {
    for (int slot = slot(hash); slots[slot] >= 0; slot = (slot + 1) & (slots.length - 1)) {
      int id = slots[slot];
      if (hashes[id] == hash && Arrays.equals(bytes, from, to, bytes, start[id], start[id + 1])) {
        return id;
      }
    }
    return -1;
  }

  private int slot(long hash) {
    long mixed = (hash ^ hash >>> 29) * 0xBF58476D1CE4E5B9L;
    return (int) (mixed >>> 32) & (slots.length - 1);
  }

  /** Some pieces in the order of their bytes, unsigned. */
  int[] sortedByBytes(int[] ids) {
    return Arrays.stream(ids)
        .boxed()
        .sorted(
            (a, b) ->
                Arrays.compareUnsigned(
                    bytes, start[a], start[a + 1], bytes, start[b], start[b + 1]))
        .mapToInt(Integer::intValue)
        .toArray();
  }
}
