package io.github.pretrain4j.dataset.tool;

import io.github.pretrain4j.dataset.DatasetSplitter;
import io.github.pretrain4j.dataset.IndexedDataset;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code split}: a dataset cut between documents. */
@Command(
    name = "split",
    mixinStandardHelpOptions = true,
    description = "Cuts a dataset between documents; merging the parts gives the same bytes again.")
final class SplitCommand implements Callable<Integer> {
  private static final int MAX_PARTS = 100_000;

  private final PrintWriter out;

  @Parameters(paramLabel = "PREFIX", description = "The dataset.")
  Path prefix = Path.of("");

  @Option(
      names = "--output-prefix",
      required = true,
      description = "The parts are this, then _0, _1, ..., with leading zeros.")
  Path outputPrefix = Path.of("");

  @Option(names = "--parts", description = "Number of parts of equally many documents.")
  int parts;

  @Option(
      names = "--shares",
      split = ",",
      description = "Shares of the documents instead, like 90,5,5.")
  List<Double> shares = List.of();

  SplitCommand(PrintWriter out) {
    this.out = out;
  }

  @Override
  public Integer call() throws IOException {
    if ((parts == 0) == shares.isEmpty()) {
      throw new IllegalArgumentException("either --parts or --shares, please");
    }
    int count = shares.isEmpty() ? parts : shares.size();
    if (count < 1 || count > MAX_PARTS) {
      throw new IllegalArgumentException("parts must be from 1 to " + MAX_PARTS + ": " + count);
    }
    int digits = Integer.toString(count - 1).length();
    List<Path> outputs = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      outputs.add(IndexedDataset.withSuffix(outputPrefix, String.format("_%0" + digits + "d", i)));
    }
    if (shares.isEmpty()) {
      DatasetSplitter.split(prefix, outputs);
    } else {
      DatasetSplitter.split(
          prefix, outputs, shares.stream().mapToDouble(Double::doubleValue).toArray());
    }
    for (Path output : outputs) {
      try (IndexedDataset part = IndexedDataset.open(output)) {
        out.printf(
            "%s: %d documents, %d tokens%n", output, part.documentCount(), part.tokenCount());
      }
    }
    return 0;
  }
}
