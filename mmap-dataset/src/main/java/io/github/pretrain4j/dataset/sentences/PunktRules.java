package io.github.pretrain4j.dataset.sentences;

/**
 * Which release of NLTK to agree with, for they differ in what may close a sentence.
 *
 * <p>Both have the end contexts of NLTK 3.8 (2022); releases before that cut other sentences.
 *
 * @see <a href="https://github.com/nltk/nltk/pull/3728">the change</a>
 */
public enum PunktRules {
  /** NLTK 3.8 and later: only the quotes of ASCII, so {@code “One.” Two.} is one sentence. */
  NLTK_3_8(""),
  /** NLTK from August 2026 (3.10.3 has it): the quotes {@code ‘ ’ “ ” « »} too. */
  NLTK_3_10("\u2018\u2019\u201C\u201D\u00AB\u00BB");

  /** Characters that end a word wherever they stand, beside white space. */
  private final String nonWord;

  /** Characters that belong to the sentence before them. */
  private final String closing;

  PunktRules(String quotes) {
    nonWord = ")\";}]*:@'({[!?" + quotes;
    closing = "\"')]}" + quotes;
  }

  boolean isNonWord(char c) {
    return (c < 0x80 || c >= 0xAB) && !(c >= 'a' && c <= 'z') && nonWord.indexOf(c) >= 0;
  }

  boolean isClosing(char c) {
    return closing.indexOf(c) >= 0;
  }
}
