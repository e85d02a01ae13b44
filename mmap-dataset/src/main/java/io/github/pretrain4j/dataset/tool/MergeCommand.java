package io.github.pretrain4j.dataset.tool;

import io.github.pretrain4j.dataset.DatasetMerger;
import io.github.pretrain4j.dataset.IndexedDataset;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code merge}: datasets one after the other, as Megatron's merge_datasets.py. */
@Command(
    name = "merge",
    mixinStandardHelpOptions = true,
    description = {
      "Joins datasets, byte for byte as Megatron's merge_datasets.py.",
      "Give a directory with --input, whose datasets are taken by name, or the prefixes in order."
    })
final class MergeCommand implements Callable<Integer> {
  private final PrintWriter out;

  @Option(names = "--input", paramLabel = "DIR", description = "Directory of datasets.")
  @Nullable Path input;

  @Option(names = "--output-prefix", required = true, description = "Prefix of the new dataset.")
  Path outputPrefix = Path.of("");

  @Parameters(paramLabel = "PREFIX", arity = "0..*", description = "Datasets, instead of --input.")
  List<Path> prefixes = List.of();

  @Mixin ModesOption modes = new ModesOption();

  MergeCommand(PrintWriter out) {
    this.out = out;
  }

  @Override
  public Integer call() throws IOException {
    if ((input == null) == prefixes.isEmpty()) {
      throw new IllegalArgumentException("either --input or prefixes, please");
    }
    List<Path> sources = input == null ? prefixes : DatasetMerger.prefixesIn(input);
    if (sources.isEmpty()) {
      throw new IllegalArgumentException(input + ": no datasets in it");
    }
    DatasetMerger.merge(sources, outputPrefix, modes.modes());
    try (IndexedDataset merged = IndexedDataset.open(outputPrefix)) {
      out.printf(
          "%s: %d documents, %d sequences, %d tokens from %d datasets%n",
          outputPrefix,
          merged.documentCount(),
          merged.sequenceCount(),
          merged.tokenCount(),
          sources.size());
    }
    return 0;
  }
}
