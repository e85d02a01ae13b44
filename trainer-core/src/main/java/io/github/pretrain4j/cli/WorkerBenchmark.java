package io.github.pretrain4j.cli;

import io.github.pretrain4j.dataset.preprocess.InputList;
import io.github.pretrain4j.dataset.preprocess.Preprocessor;
import io.github.pretrain4j.dataset.preprocess.TokenEncoder;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.stream.Stream;

/**
 * {@code --find-optimal-num-workers}: how many documents a second each number of workers does.
 * Works on a copy of the first lines, in a temporary folder that is deleted; unlike Megatron's it
 * leaves no dataset, and a short input has a figure too.
 */
final class WorkerBenchmark {
  private final Preprocessor.Config config;
  private final TokenEncoder.Factory encoders;
  private final int maxDocuments;

  WorkerBenchmark(Preprocessor.Config config, TokenEncoder.Factory encoders, int maxDocuments) {
    if (maxDocuments < 1) {
      throw new IllegalArgumentException("--max-documents must be positive: " + maxDocuments);
    }
    this.config = config;
    this.encoders = encoders;
    this.maxDocuments = maxDocuments;
  }

  void run(List<Integer> workers, PrintWriter out) throws IOException {
    int partitions = config.partitions().count();
    List<Integer> valid = workers.stream().filter(n -> n > 0 && n % partitions == 0).toList();
    if (valid.isEmpty()) {
      throw new IllegalArgumentException(
          "--workers-to-check: none of " + workers + " can be divided by " + partitions);
    }
    Path folder = Files.createTempDirectory("p4j-preprocess");
    try {
      Path sample = folder.resolve("sample.jsonl");
      InputList.resolve(config.inputs()).copyLines(maxDocuments, sample);
      int best = 0;
      double bestRate = 0;
      for (int count : valid) {
        double rate = measure(sample, folder.resolve("x" + count), count);
        out.printf(Locale.ROOT, "%d workers: %,.0f documents/s%n", count, rate);
        out.flush();
        if (rate > bestRate) {
          best = count;
          bestRate = rate;
        }
      }
      out.printf(Locale.ROOT, "best: %d workers, %,.0f documents/s%n", best, bestRate);
    } finally {
      delete(folder);
    }
  }

  private double measure(Path sample, Path prefix, int workers) throws IOException {
    long started = System.nanoTime();
    Preprocessor.Report report =
        Preprocessor.run(
            config
                .withInputs(List.of(sample.toString()))
                .withOutputPrefix(prefix)
                .withWorkers(workers),
            encoders,
            Preprocessor.ProgressListener.NONE);
    return (report.documents() + report.rejected()) / ((System.nanoTime() - started) / 1e9);
  }

  private static void delete(Path folder) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      for (Path file : files.toList()) {
        Files.delete(Objects.requireNonNull(file));
      }
    }
    Files.delete(folder);
  }
}
