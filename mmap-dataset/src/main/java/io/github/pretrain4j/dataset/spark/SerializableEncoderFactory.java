package io.github.pretrain4j.dataset.spark;

import io.github.pretrain4j.dataset.preprocess.TokenEncoder;
import io.github.pretrain4j.dataset.sentences.SentenceSplitter;
import java.io.IOException;
import java.io.Serializable;
import java.util.Optional;

/**
 * Makes encoders where they are needed. It travels to Spark's executors by Java serialization, so
 * it holds what names a tokenizer (paths that every executor can read, settings), not the tokenizer
 * itself; a record of strings is the usual one.
 */
@FunctionalInterface
public interface SerializableEncoderFactory extends Serializable {
  /** A new encoder; called on an executor, once for each task. */
  TokenEncoder open() throws IOException;

  /**
   * A new sentence splitter, called in the same way if the config has one too; that one does not
   * travel.
   */
  default Optional<SentenceSplitter> openSentenceSplitter() throws IOException {
    return Optional.empty();
  }
}
