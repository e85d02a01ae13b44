package io.github.pretrain4j.generate;

/** Sees text as it comes. */
@FunctionalInterface
public interface TextListener {

  /**
   * Called after every token, on the generating thread.
   *
   * @param piece whole characters; empty while a character or a possible stop text is still
   *     incomplete
   * @return false to end the generation here
   */
  boolean onText(String piece);
}
