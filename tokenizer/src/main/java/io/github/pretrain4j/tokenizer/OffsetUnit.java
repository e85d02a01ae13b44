package io.github.pretrain4j.tokenizer;

/** What positions in a text count. */
public enum OffsetUnit {
  /** Bytes of the text in UTF-8. */
  UTF8_BYTES,
  /** Java's {@code char}s. */
  UTF16_UNITS,
  /** Unicode code points, as Python counts. */
  CODE_POINTS
}
