package io.github.pretrain4j.dataset.preprocess;

/** What becomes of a line that cannot become a document. */
public enum BadLinePolicy {
  /** The first one ends the run with a {@link MalformedLineException}. */
  FAIL,
  /** It is left out, and reported in {@code PREFIX_rejected.jsonl}. */
  SKIP,
  /** As {@link #SKIP}, and its bytes are kept in {@code PREFIX_quarantine.jsonl}. */
  QUARANTINE
}
