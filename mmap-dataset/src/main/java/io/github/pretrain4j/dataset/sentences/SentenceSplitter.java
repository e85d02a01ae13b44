package io.github.pretrain4j.dataset.sentences;

import java.util.List;

/** Cuts texts into sentences; each becomes a sequence of a sentence-level dataset. Thread-safe. */
@FunctionalInterface
public interface SentenceSplitter {
  /**
   * The sentences of a text, in its order. What lies between them (most often white space) is
   * dropped, and an empty text may give no sentence or an empty one.
   */
  List<String> split(String text);
}
