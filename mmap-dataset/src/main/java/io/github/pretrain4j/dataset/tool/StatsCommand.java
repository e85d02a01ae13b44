package io.github.pretrain4j.dataset.tool;

import io.github.pretrain4j.dataset.DatasetStatistics;
import io.github.pretrain4j.dataset.IndexedDataset;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Locale;
import java.util.OptionalInt;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code stats}: a dataset in numbers. */
@Command(
    name = "stats",
    mixinStandardHelpOptions = true,
    description = "Counts documents, sequences and tokens, and measures sequence lengths.")
final class StatsCommand implements Callable<Integer> {
  private final PrintWriter out;

  @Parameters(paramLabel = "PREFIX", description = "The dataset.")
  Path prefix = Path.of("");

  @Option(
      names = "--vocab-size",
      description = "Read the tokens too, and say how much of a vocabulary of this size they use.")
  @Nullable Integer vocabularySize;

  StatsCommand(PrintWriter out) {
    this.out = out;
  }

  @Override
  public Integer call() throws IOException {
    DatasetStatistics statistics;
    try (IndexedDataset dataset = IndexedDataset.open(prefix)) {
      statistics =
          DatasetStatistics.of(
              dataset,
              vocabularySize == null ? OptionalInt.empty() : OptionalInt.of(vocabularySize));
    }
    print("token type", statistics.type().name().toLowerCase(Locale.ROOT));
    print("sequence modes", statistics.hasModes() ? "yes" : "no");
    print("documents", statistics.documents());
    print("empty documents", statistics.emptyDocuments());
    print("sequences", statistics.sequences());
    print("tokens", statistics.tokens());
    DatasetStatistics.Lengths lengths = statistics.sequenceLengths();
    print("shortest sequence", lengths.minimum());
    print("mean sequence", String.format(Locale.ROOT, "%.2f", lengths.mean()));
    print("p50", lengths.p50());
    print("p95", lengths.p95());
    print("p99", lengths.p99());
    print("longest sequence", lengths.maximum());
    DatasetStatistics.VocabularyUse use = statistics.vocabulary();
    if (use != null) {
      print("ids used", use.used() + " of " + use.size());
      print("tokens outside", use.outside());
      print(
          "most frequent id",
          use.mostFrequent() < 0
              ? "none"
              : use.mostFrequent() + " (" + use.mostFrequentCount() + " times)");
    }
    return 0;
  }

  private void print(String name, Object value) {
    out.printf("%-18s %s%n", name, value);
  }
}
