package io.github.pretrain4j.tokenizer;

/** What a special token's text, as {@code </s>}, means where it stands in a text to encode. */
public enum SpecialTokens {
  /**
   * What the reference program of the file's kind does: SentencePiece as text, Hugging Face ids.
   */
  AS_REFERENCE,
  /** It is characters like all others: nothing in a corpus can end a document or take a role. */
  AS_TEXT,
  /** It becomes the special id. */
  MATCH
}
