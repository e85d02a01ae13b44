package io.github.pretrain4j.tokenizer.sentencepiece;

import io.github.pretrain4j.tokenizer.bpe.Merger;
import java.util.Arrays;

/**
 * Byte-pair merging: of all neighbouring symbols that form a piece, the pair with the highest
 * score, the leftmost on a tie, becomes one symbol, until no pair is left.
 */
final class BpeSegments implements SegmentEngine {
  private final BpeVocabulary vocabulary;
  private final Merger merger;
  private int[] symbols = new int[64];
  private int[] charEnd = new int[64];

  BpeSegments(BpeVocabulary vocabulary) {
    this.vocabulary = vocabulary;
    this.merger = new Merger(vocabulary.merges);
  }

  @Override
  public void begin() {}

  @Override
  public void encode(byte[] text, int from, int to, Edges parts) {
    if (symbols.length < to - from) {
      int capacity = (int) Math.min(ByteText.MAX_BYTES, (to - from) * 3L / 2);
      symbols = Arrays.copyOf(symbols, capacity);
      charEnd = Arrays.copyOf(charEnd, capacity);
    }
    int count = 0;
    for (int at = from; at < to; ) {
      int length = Utf8.lengthByLead(text[at]);
      symbols[count] = vocabulary.symbolOf(Utf8.codePoint(text, at, length));
      at += length;
      charEnd[count++] = at;
    }
    int left = merger.merge(symbols, count);
    int chars = 0;
    for (int i = 0; i < left; i++) {
      chars += vocabulary.charsOf(symbols[i]);
      parts.add(vocabulary.idOf(symbols[i]), charEnd[chars - 1]);
    }
  }
}
