package io.github.pretrain4j.tokenizer;

import java.util.OptionalInt;

/**
 * Turns text into ids and ids into text. Immutable and thread-safe.
 *
 * <p>Encoding adds no special ids and recognises none: {@code "<s>"} in a text is four characters.
 * A lone surrogate counts as U+FFFD.
 */
public interface Tokenizer {

  /** Number of ids; valid ids are {@code 0 .. vocabularySize() - 1}. Not padded. */
  int vocabularySize();

  /**
   * The ids of {@code text}, without begin and end markers.
   *
   * @throws IllegalArgumentException if the model cannot represent the text
   */
  int[] encode(String text);

  /**
   * The text of {@code ids}. Not always the inverse of {@link #encode}: a model may drop spaces or
   * normalise characters.
   *
   * @throws IllegalArgumentException if an id is out of range
   */
  String decode(int[] ids);

  /** The id that begins a sequence, if the model has one. */
  OptionalInt bosId();

  /** The id that ends a sequence, if the model has one. */
  OptionalInt eosId();

  /** The id of padding, if the model has one. */
  OptionalInt padId();

  /**
   * The id that ends a document, as Megatron's {@code --append-eod} uses it.
   *
   * @throws IllegalStateException if the model has no such id
   */
  int eodId();

  /**
   * The vocabulary string of an id.
   *
   * @throws IllegalArgumentException if the id is out of range
   */
  String piece(int id);

  /** SHA-256 of the model file in lower-case hex: the tokenizer's identity. */
  String sha256();

  /** A new decoder for ids that arrive one by one. */
  StreamingDecoder streamingDecoder();
}
