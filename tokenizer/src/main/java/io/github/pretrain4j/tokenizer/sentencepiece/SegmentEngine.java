package io.github.pretrain4j.tokenizer.sentencepiece;

/**
 * Divides a segment of prepared text into pieces: the algorithm of a model type. Has buffers and
 * may have state that runs through a text; one engine is for one thread.
 */
interface SegmentEngine {

  /** Begins a new text. */
  void begin();

  /**
   * Adds the parts of {@code text[from, to)}, which holds no malformed byte. No piece of the model
   * crosses either end.
   */
  void encode(byte[] text, int from, int to, Edges parts);
}
