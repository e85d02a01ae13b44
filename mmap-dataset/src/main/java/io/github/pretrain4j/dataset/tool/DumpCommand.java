package io.github.pretrain4j.dataset.tool;

import io.github.pretrain4j.dataset.IndexedDataset;
import io.github.pretrain4j.dataset.TokenSpan;
import io.github.pretrain4j.dataset.TokenType;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code dump}: the ids of documents. */
@Command(
    name = "dump",
    mixinStandardHelpOptions = true,
    description = {
      "Prints documents: one line for each sequence, document, sequence, its mode if it has one,",
      "then its ids."
    })
final class DumpCommand implements Callable<Integer> {
  private final PrintWriter out;

  @Parameters(paramLabel = "PREFIX", description = "The dataset.")
  Path prefix = Path.of("");

  @Option(names = "--first", description = "First document (default: ${DEFAULT-VALUE}).")
  long first;

  @Option(names = "--documents", description = "How many (default: ${DEFAULT-VALUE}).")
  long documents = 10;

  DumpCommand(PrintWriter out) {
    this.out = out;
  }

  @Override
  public Integer call() throws IOException {
    try (IndexedDataset dataset = IndexedDataset.open(prefix)) {
      if (first < 0 || first > dataset.documentCount() || documents < 0) {
        throw new IllegalArgumentException(
            "documents are 0 to " + (dataset.documentCount() - 1) + ": " + first);
      }
      long end = first + Math.min(documents, dataset.documentCount() - first);
      for (long d = first; d < end; d++) {
        long next = dataset.firstSequence(d + 1);
        for (long s = dataset.firstSequence(d); s < next; s++) {
          out.print("document " + d + " sequence " + s);
          if (dataset.hasModes()) {
            out.print(" mode " + dataset.mode(s));
          }
          print(dataset.span(s));
        }
      }
    }
    return 0;
  }

  private void print(TokenSpan span) throws IOException {
    out.print(':');
    boolean fractions =
        span.tokenType() == TokenType.FLOAT32 || span.tokenType() == TokenType.FLOAT64;
    for (long i = 0; i < span.length(); i++) {
      out.print(' ');
      if (fractions) {
        out.print(span.getDouble(i));
      } else {
        out.print(span.getLong(i));
      }
    }
    out.println();
  }
}
