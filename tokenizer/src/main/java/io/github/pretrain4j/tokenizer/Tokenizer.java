package io.github.pretrain4j.tokenizer;

import java.util.OptionalInt;

/**
 * Turns text into ids and ids into text. Immutable and thread-safe.
 *
 * <p>Encoding adds no special ids. Whether {@code "<s>"} in a text is a special id or four
 * characters is chosen when the tokenizer is loaded, see {@link SpecialTokens}. A lone surrogate
 * counts as U+FFFD.
 */
public interface Tokenizer {

  /** Number of ids; valid ids are {@code 0 .. vocabularySize() - 1}. Not padded. */
  int vocabularySize();

  /** A new encoder for one thread: what a loop over many texts should use. */
  Encoder newEncoder();

  /**
   * The ids of {@code text}, without begin and end markers. For single texts; a loop is better
   * served by {@link #newEncoder}.
   *
   * @throws IllegalArgumentException if the model cannot represent the text
   */
  int[] encode(String text);

  /**
   * The ids of {@code text} with their strings and their places in the text. Slower than {@link
   * #encode(String)}, with the same ids.
   *
   * @throws IllegalArgumentException if the model cannot represent the text
   */
  Encoding encode(String text, OffsetUnit unit);

  /**
   * {@code ids} with what the tokenizer's own template puts around a text, as the post-processor of
   * a {@code tokenizer.json} says. A SentencePiece model has no template: a copy.
   */
  int[] withSpecialTokens(int[] ids);

  /**
   * The text of {@code ids}; special ids have none. Not always the inverse of {@link #encode}: a
   * model may drop spaces or normalise characters.
   *
   * @throws IllegalArgumentException if an id is out of range
   */
  String decode(int[] ids);

  /** A new decoder for ids that arrive one by one. */
  StreamingDecoder streamingDecoder();

  /** The id that begins a sequence, if the model has one. */
  OptionalInt bosId();

  /** The id that ends a sequence, if the model has one. */
  OptionalInt eosId();

  /** The id of padding, if the model has one. */
  OptionalInt padId();

  /** The id of what the model cannot represent, if the model has one. */
  OptionalInt unkId();

  /**
   * The id that ends a document, as Megatron's {@code --append-eod} uses it.
   *
   * @throws IllegalStateException if the model has no such id
   */
  int eodId();

  /** The id of a vocabulary string, exactly as {@link #piece} gives it. */
  OptionalInt id(String piece);

  /**
   * The vocabulary string of an id.
   *
   * @throws IllegalArgumentException if the id is out of range
   */
  String piece(int id);

  /**
   * Whether an id is a marker, not text: begin, end, padding, roles of a chat.
   *
   * @throws IllegalArgumentException if the id is out of range
   */
  boolean isSpecial(int id);

  /** SHA-256 of the model file in lower-case hex: the tokenizer's identity. */
  String sha256();
}
