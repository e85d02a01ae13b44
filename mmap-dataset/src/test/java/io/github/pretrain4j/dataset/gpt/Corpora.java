package io.github.pretrain4j.dataset.gpt;

import io.github.pretrain4j.dataset.IndexedDatasetWriter;
import io.github.pretrain4j.dataset.TokenType;
import java.io.IOException;
import java.nio.file.Path;
import java.util.function.IntBinaryOperator;
import java.util.function.IntUnaryOperator;
import java.util.stream.IntStream;

/** Small datasets with tokens that follow a rule; one sequence a document. */
final class Corpora {
  private Corpora() {}

  /** The first corpus of the golden vectors. */
  static Path a(Path directory) throws IOException {
    return write(
        directory.resolve("A_text_document"),
        20,
        i -> 3 + 7 * i % 11,
        (i, k) -> (31 * i + k) % 900);
  }

  /** The second one. */
  static Path b(Path directory) throws IOException {
    return write(
        directory.resolve("B_text_document"),
        15,
        i -> 5 + 3 * i % 7,
        (i, k) -> (500 + 17 * i + k) % 900);
  }

  /** A dataset of so many sequences. */
  static Path write(Path prefix, int count, IntUnaryOperator length, IntBinaryOperator token)
      throws IOException {
    try (IndexedDatasetWriter writer = IndexedDatasetWriter.create(prefix, TokenType.UINT16)) {
      for (int i = 0; i < count; i++) {
        int sequence = i;
        int[] tokens =
            IntStream.range(0, length.applyAsInt(i))
                .map(k -> token.applyAsInt(sequence, k))
                .toArray();
        writer.addSequence(tokens, 0, tokens.length);
        writer.endDocument();
      }
      writer.finish();
    }
    return prefix;
  }
}
