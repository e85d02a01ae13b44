package io.github.pretrain4j.dataset.tool;

import io.github.pretrain4j.dataset.DatasetSplitter;
import io.github.pretrain4j.dataset.IndexedDataset;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code head}: the first documents as a dataset. */
@Command(
    name = "head",
    mixinStandardHelpOptions = true,
    description = "Makes a dataset of the first documents of another.")
final class HeadCommand implements Callable<Integer> {
  private final PrintWriter out;

  @Parameters(paramLabel = "PREFIX", description = "The dataset.")
  Path prefix = Path.of("");

  @Option(names = "--output-prefix", required = true, description = "Prefix of the new dataset.")
  Path outputPrefix = Path.of("");

  @Option(names = "--documents", required = true, description = "How many documents.")
  long documents;

  HeadCommand(PrintWriter out) {
    this.out = out;
  }

  @Override
  public Integer call() throws IOException {
    DatasetSplitter.head(prefix, outputPrefix, documents);
    try (IndexedDataset head = IndexedDataset.open(outputPrefix)) {
      out.printf(
          "%s: %d documents, %d tokens%n", outputPrefix, head.documentCount(), head.tokenCount());
    }
    return 0;
  }
}
