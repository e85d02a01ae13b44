package io.github.pretrain4j.tokenizer.megatron;

import io.github.pretrain4j.tokenizer.Encoder;
import io.github.pretrain4j.tokenizer.TokenBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Objects;
import java.util.OptionalInt;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * The NullTokenizer's: a text is ids in decimal digits with exactly one space between. Megatron
 * would take any number; what a model of this size has no row for is refused here. Stateless.
 */
final class NumberEncoder implements Encoder {
  private final int vocabularySize;

  private NumberEncoder(int vocabularySize) {
    this.vocabularySize = vocabularySize;
  }

  static MegatronTokenizer open(MegatronTokenizerConfig config) {
    int given = Objects.requireNonNull(config.vocabSize(), "checked by the config");
    int size = config.core14() ? Math.addExact(given, 1) : given;
    NumberEncoder encoder = new NumberEncoder(size);
    int eod = config.eodId().orElse(size - 1);
    return new MegatronTokenizer(
        size,
        OptionalInt.of(eod),
        OptionalInt.empty(),
        config.padId(),
        () -> encoder,
        encoder::decode,
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

  private int id(String word) {
    boolean digits = word.chars().allMatch(c -> c >= '0' && c <= '9');
    if (word.isEmpty() || !digits || word.length() > 10) {
      throw new IllegalArgumentException(
          "NullTokenizer: expected numbers with one space between, found \"" + word + "\"");
    }
    long id = Long.parseLong(word);
    if (id >= vocabularySize) {
      throw new IllegalArgumentException(outOfRange(word));
    }
    return (int) id;
  }

  private String decode(int[] ids) {
    for (int id : ids) {
      if (id < 0 || id >= vocabularySize) {
        throw new IllegalArgumentException(outOfRange(Integer.toString(id)));
      }
    }
    return IntStream.of(ids).mapToObj(Integer::toString).collect(Collectors.joining(" "));
  }

  private String outOfRange(String id) {
    return "NullTokenizer: id " + id + " is not in 0 to " + (vocabularySize - 1);
  }
}
