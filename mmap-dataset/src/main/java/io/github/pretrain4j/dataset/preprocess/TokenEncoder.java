package io.github.pretrain4j.dataset.preprocess;

import java.nio.charset.StandardCharsets;
import java.util.function.Function;

/**
 * Turns texts into token ids, for one thread; the seam between preprocessing and any tokenizer.
 *
 * <p>The ids are those of the text alone, without begin or end marks ({@link Preprocessor} appends
 * the eod). They must not depend on what was encoded before.
 */
@FunctionalInterface
public interface TokenEncoder {
  /**
   * Appends the ids of a text. The array is the caller's and keeps its content only for the call.
   *
   * @param utf8 holds the text, which is valid UTF-8, from {@code offset} on
   * @param length bytes of the text; 0 is an empty text
   * @param out gets the ids
   * @throws IllegalArgumentException if the text cannot be encoded; it is reported with its line,
   *     and ids appended before do not count
   */
  void encode(byte[] utf8, int offset, int length, TokenSink out);

  /** Makes encoders. Thread-safe; every worker asks for one of its own. */
  @FunctionalInterface
  interface Factory {
    /** A new encoder. */
    TokenEncoder create();

    /** Encoders that all call a thread-safe function of strings. */
    static Factory ofStrings(Function<String, int[]> threadSafe) {
      TokenEncoder encoder =
          (utf8, offset, length, out) -> {
            int[] ids = threadSafe.apply(new String(utf8, offset, length, StandardCharsets.UTF_8));
            out.add(ids, 0, ids.length);
          };
      return () -> encoder;
    }
  }
}
