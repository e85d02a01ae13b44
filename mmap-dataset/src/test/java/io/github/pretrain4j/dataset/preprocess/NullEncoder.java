package io.github.pretrain4j.dataset.preprocess;

import java.util.stream.Stream;

/**
 * Megatron's {@code NullTokenizer}: a text is numbers with one space between; but empty is empty.
 */
final class NullEncoder implements TokenEncoder {
  @Override
  public int[] encode(String text) {
    return text.isEmpty()
        ? new int[0]
        : Stream.of(text.split(" ", -1)).mapToInt(Integer::parseInt).toArray();
  }
}
