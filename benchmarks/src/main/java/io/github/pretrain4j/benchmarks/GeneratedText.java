package io.github.pretrain4j.benchmarks;

import java.nio.charset.StandardCharsets;
import java.util.SplittableRandom;

/**
 * Text that looks enough like language to train a tokenizer on: words of a fixed stock, some of
 * them with letters of two UTF-8 bytes, the first ones of the stock much more often than the last.
 */
final class GeneratedText {
  private static final int STOCK_SEED = 1;
  private static final int STOCK_WORDS = 4000;
  private static final String[] ONSETS = {
    "b", "br", "c", "d", "f", "g", "gr", "h", "l", "m", "n", "p", "r", "s", "st", "t", "tr", "v"
  };
  private static final String[] RHYMES = {
    "a", "an", "ar", "e", "en", "er", "es", "i", "in", "ion", "o", "or", "u", "é", "ü"
  };

  private final String[] stock = new String[STOCK_WORDS];
  private final SplittableRandom random;

  /** Text of its own for every seed, all of it from the same stock of words. */
  GeneratedText(long seed) {
    SplittableRandom words = new SplittableRandom(STOCK_SEED);
    for (int i = 0; i < stock.length; i++) {
      StringBuilder word = new StringBuilder();
      for (int syllable = words.nextInt(1, 5); syllable > 0; syllable--) {
        word.append(ONSETS[words.nextInt(ONSETS.length)]);
        word.append(RHYMES[words.nextInt(RHYMES.length)]);
      }
      stock[i] = word.toString();
    }
    random = new SplittableRandom(seed);
  }

  /** The next sentence, of exactly this many UTF-8 bytes. */
  String sentence(int byteCount) {
    StringBuilder text = new StringBuilder();
    int bytes = 0;
    while (bytes < byteCount) {
      double u = random.nextDouble();
      String word = stock[(int) (u * u * u * STOCK_WORDS)] + " ";
      int length = word.getBytes(StandardCharsets.UTF_8).length;
      text.append(bytes + length <= byteCount ? word : ".".repeat(byteCount - bytes));
      bytes += length;
    }
    return text.toString();
  }
}
