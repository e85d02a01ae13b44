package io.github.pretrain4j.generate;

import java.util.List;

/**
 * What came of one prompt.
 *
 * @param text the continuation, without the prompt and without the stop text
 * @param tokens the ids behind it, the end-of-sequence token included where there was one
 */
public record Generation(
    String text, List<Integer> tokens, int promptTokens, FinishReason finishReason) {

  public Generation {
    tokens = List.copyOf(tokens);
  }
}
