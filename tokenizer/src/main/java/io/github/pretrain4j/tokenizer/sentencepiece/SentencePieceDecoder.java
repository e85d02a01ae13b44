package io.github.pretrain4j.tokenizer.sentencepiece;

import io.github.pretrain4j.tokenizer.StreamingDecoder;

/**
 * Turns ids back into text, one by one.
 *
 * <p>Runs of BYTE pieces are read as UTF-8: a sequence is written as soon as it is complete, a
 * malformed byte becomes U+FFFD. The space that the dummy prefix put before the text is dropped
 * from the first piece that begins with one; if the model removes extra spaces, from all such
 * pieces up to the first text.
 */
final class SentencePieceDecoder implements StreamingDecoder {
  private final SentencePieceTokenizer tokenizer;
  private final StringBuilder out = new StringBuilder();
  private final byte[] pending = new byte[4];
  private int pendingCount;
  private boolean atStart = true;
  private boolean droppedSpace;
  private boolean anyText;

  SentencePieceDecoder(SentencePieceTokenizer tokenizer) {
    this.tokenizer = tokenizer;
  }

  @Override
  public String accept(int id) {
    add(id);
    return take();
  }

  @Override
  public String finish() {
    flush();
    atStart = true;
    droppedSpace = false;
    anyText = false;
    return take();
  }

  private String take() {
    String text = out.toString();
    out.setLength(0);
    return text;
  }

  void add(int id) {
    SentencePieceModel.Piece piece = tokenizer.pieceOf(id);
    if (piece.type() == PieceType.BYTE) {
      addByte((byte) SentencePieceModel.byteValue(piece.text()));
      return;
    }
    flush();
    if (droppedSpace || anyText) {
      atStart = false;
    }
    droppedSpace = false;
    if (piece.type() == PieceType.UNKNOWN) {
      append(tokenizer.unknownSurface());
    } else if (piece.type() != PieceType.CONTROL) {
      addText(piece.text());
    }
  }

  private void addText(String piece) {
    int from = 0;
    if (atStart && tokenizer.dropsFirstSpace() && piece.charAt(0) == Normalizer.ESCAPED_SPACE) {
      from = 1;
      droppedSpace = !tokenizer.removesExtraWhitespaces();
    }
    append(piece.substring(from).replace(Normalizer.ESCAPED_SPACE, ' '));
  }

  private void append(String text) {
    out.append(text);
    anyText |= !text.isEmpty();
  }

  private void addByte(byte value) {
    pending[pendingCount++] = value;
    while (pendingCount > 0) {
      int length = Utf8.sequenceLength(pending, 0, pendingCount);
      if (length == Utf8.INCOMPLETE) {
        return;
      }
      consume(length);
    }
  }

  private void flush() {
    while (pendingCount > 0) {
      consume(Utf8.sequenceLength(pending, 0, pendingCount));
    }
  }

  /** Writes the first pending character, or U+FFFD for the first pending byte. */
  private void consume(int length) {
    out.appendCodePoint(length > 0 ? Utf8.codePoint(pending, 0, length) : Utf8.REPLACEMENT);
    anyText = true;
    int taken = Math.max(1, length);
    System.arraycopy(pending, taken, pending, 0, pendingCount - taken);
    pendingCount -= taken;
  }
}
