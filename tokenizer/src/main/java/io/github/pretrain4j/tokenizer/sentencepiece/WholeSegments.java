package io.github.pretrain4j.tokenizer.sentencepiece;

/** WORD and CHAR models: each word or character is a piece, or unknown as a whole. */
final class WholeSegments implements SegmentEngine {
  private final PieceTable pieces;
  private final Normalizer normalizer;
  private final boolean words;

  /** Divides into words, before every space, or else into characters. */
  WholeSegments(PieceTable pieces, Normalizer normalizer, boolean words) {
    this.pieces = pieces;
    this.normalizer = normalizer;
    this.words = words;
  }

  @Override
  public void begin() {}

  @Override
  public void encode(byte[] text, int from, int to, Edges parts) {
    int start = from;
    for (int at = from; at < to; ) {
      at += Utf8.lengthByLead(text[at]);
      if (!words || at == to || isSpace(text, at, to)) {
        parts.add(pieces.id(normalizer.asPieces(text, start, at)), at);
        start = at;
      }
    }
  }

  private boolean isSpace(byte[] text, int at, int to) {
    return (text[at] == ' ' && normalizer.escapesSpaces())
        || (at + 2 < to && Normalizer.isEscapedSpace(text, at));
  }
}
