package io.github.pretrain4j.tokenizer.megatron;

import io.github.pretrain4j.tokenizer.Encoder;
import io.github.pretrain4j.tokenizer.TokenBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Objects;
import java.util.OptionalInt;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * The NullTokenizer's: a text is ids in decimal digits with exactly one space between. As in
 * Megatron, ids are not held to the vocabulary size. Stateless.
 */
final class NumberEncoder implements Encoder {
  private NumberEncoder() {}

  static MegatronTokenizer open(MegatronTokenizerConfig config) {
    int given = Objects.requireNonNull(config.vocabSize(), "checked by the config");
    int size = config.core14() ? Math.addExact(given, 1) : given;
    NumberEncoder encoder = new NumberEncoder();
    int eod = config.eodId().orElse(size - 1);
    return new MegatronTokenizer(
        size,
        OptionalInt.of(eod),
        OptionalInt.empty(),
        config.padId(),
        () -> encoder,
        NumberEncoder::decode,
        config.type().option());
  }

  @Override
  public int encode(CharSequence text, TokenBuffer out) {
    int before = out.length();
    int from = 0;
    try {
      while (true) {
        int to = from;
        while (to < text.length() && text.charAt(to) != ' ') {
          to++;
        }
        out.add(id(text.subSequence(from, to).toString()));
        if (to == text.length()) {
          return out.length() - before;
        }
        from = to + 1;
      }
    } catch (IllegalArgumentException e) {
      out.setLength(before);
      throw e;
    }
  }

  @Override
  public int encodeUtf8(byte[] utf8, int from, int to, TokenBuffer out) {
    Objects.checkFromToIndex(from, to, utf8.length);
    return encode(new String(utf8, from, to - from, StandardCharsets.UTF_8), out);
  }

  private static int id(String word) {
    boolean digits = word.chars().allMatch(c -> c >= '0' && c <= '9');
    if (word.isEmpty() || !digits) {
      throw new IllegalArgumentException(
          "NullTokenizer: expected numbers with one space between, found \"" + word + "\"");
    }
    try {
      return Integer.parseInt(word);
    } catch (NumberFormatException e) {
      throw new IllegalArgumentException("NullTokenizer: id " + word + " is more than 2^31 - 1", e);
    }
  }

  private static String decode(int[] ids) {
    for (int id : ids) {
      if (id < 0) {
        throw new IllegalArgumentException("NullTokenizer: id " + id + " is negative");
      }
    }
    return IntStream.of(ids).mapToObj(Integer::toString).collect(Collectors.joining(" "));
  }
}
