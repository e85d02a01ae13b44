package io.github.pretrain4j.tokenizer.huggingface;

import java.util.List;

/**
 * What a {@code tokenizer.json} does before and after its model.
 *
 * @param normalization changes of the text, before added tokens that are normalised are searched
 *     for
 * @param preparation changes of each part, after that
 * @param splitters what cuts a part into pre-tokens, each within the pieces of the one before it
 * @param byteLevel whether symbols are bytes
 * @param prefix ids that the template puts before a text
 * @param suffix ids that it puts behind
 * @param trim how offsets leave out white space at the ends of tokens
 * @param decoding how the tokens of ids become a text
 */
record Pipeline(
    List<TextStep> normalization,
    List<TextStep> preparation,
    List<Splitter> splitters,
    boolean byteLevel,
    List<Integer> prefix,
    List<Integer> suffix,
    Trim trim,
    Decoding decoding) {

  /** {@code trim_offsets} of a post-processor. */
  enum Trim {
    NO,
    YES,
    /** The space that was put in front of the text is no part of it anyway. */
    YES_BUT_FIRST_SPACE
  }

  /**
   * What a decoder does.
   *
   * @param kind how tokens are joined
   * @param replacements what each token's text goes through, pattern and content by turns
   * @param byteFallback whether {@code <0xHH>} is a byte
   * @param stripped text that is dropped from the beginning of the whole; empty for none
   * @param stripCount how many times at most
   */
  record Decoding(
      Kind kind, List<String> replacements, boolean byteFallback, String stripped, int stripCount) {

    /** How tokens become text. */
    enum Kind {
      /** Their characters are bytes, {@link ByteAlphabet}. */
      BYTE_LEVEL,
      /** They are text, one behind the other. */
      TEXT,
      /** They are text, and the first one loses the replacement for a space. */
      METASPACE,
      /** They are text with a space between. */
      SPACED
    }
  }
}
