package io.github.pretrain4j.dataset.preprocess;

import java.nio.charset.StandardCharsets;

/**
 * Megatron's {@code NullTokenizer}: a text is numbers with one space between; but empty is empty.
 */
final class NullEncoder implements TokenEncoder {
  @Override
  public void encode(byte[] utf8, int offset, int length, TokenSink out) {
    String text = new String(utf8, offset, length, StandardCharsets.UTF_8);
    if (!text.isEmpty()) {
      for (String number : text.split(" ", -1)) {
        out.add(Integer.parseInt(number));
      }
    }
  }
}
