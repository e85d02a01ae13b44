package io.github.pretrain4j.dataset.preprocess;

import io.github.pretrain4j.dataset.DatasetMetadata;
import io.github.pretrain4j.dataset.IndexedDataset;
import io.github.pretrain4j.dataset.IndexedDatasetWriter;
import io.github.pretrain4j.dataset.TokenType;
import io.github.pretrain4j.dataset.storage.PendingFile;
import io.github.pretrain4j.dataset.storage.Scope;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * The datasets that a run makes: one for each key; with partitions one for each key of each
 * partition too, which get the documents and are put together in the end.
 */
final class OutputDatasets {
  private final Preprocessor.Config config;
  private final long partitionLines;
  private final int partitions;
  private final List<List<IndexedDatasetWriter>> parts = new ArrayList<>(); // [partition][key]
  private final List<IndexedDatasetWriter> merged = new ArrayList<>(); // [key], with partitions

  /**
   * Opens all datasets.
   *
   * @param partitionLines lines of a sequential partition, else 0
   * @param opener starts files or goes on with them
   * @param opened gets the writers
   */
  OutputDatasets(
      Preprocessor.Config config, long partitionLines, PendingFile.Opener opener, Scope opened)
      throws IOException {
    this.config = config;
    this.partitionLines = partitionLines;
    this.partitions = config.partitions().count();
    for (int partition = 0; partition < partitions; partition++) {
      List<IndexedDatasetWriter> writers = new ArrayList<>();
      for (String key : config.jsonKeys()) {
        writers.add(open(partPrefix(config, partition, key), opener, opened));
      }
      parts.add(writers);
    }
    if (partitions > 1) {
      for (String key : config.jsonKeys()) {
        merged.add(open(config.datasetPrefix(key), opener, opened));
      }
    }
  }

  private IndexedDatasetWriter open(Path prefix, PendingFile.Opener opener, Scope opened)
      throws IOException {
    TokenType type = TokenType.forVocabularySize(config.vocabularySize());
    IndexedDatasetWriter writer = IndexedDatasetWriter.create(prefix, type, opener);
    opened.add(writer::close);
    return writer;
  }

  private static Path partPrefix(Preprocessor.Config config, int partition, String key) {
    return config.partitions().count() == 1
        ? config.datasetPrefix(key)
        : config.partitionPrefix(partition, key);
  }

  /** Prefixes of all datasets: those of partitions, by partition, then those of keys. */
  static List<Path> prefixes(Preprocessor.Config config) {
    List<Path> prefixes = new ArrayList<>();
    for (int partition = 0; partition < config.partitions().count(); partition++) {
      for (String key : config.jsonKeys()) {
        prefixes.add(partPrefix(config, partition, key));
      }
    }
    if (config.partitions().count() > 1) {
      config.jsonKeys().forEach(key -> prefixes.add(config.datasetPrefix(key)));
    }
    return prefixes;
  }

  /** What a dataset needs while it is written and is never committed. */
  static List<Path> spools(Path prefix) {
    return List.of(
        IndexedDataset.withSuffix(prefix, ".idx.lengths"),
        IndexedDataset.withSuffix(prefix, ".idx.documents"));
  }

  /**
   * Appends the documents of a block.
   *
   * @param firstLine lines of all inputs before the block
   * @param documents for each partition, is told of documents
   */
  void write(EncodedBlock block, long firstLine, long[] documents) throws IOException {
    if (partitions == 1) {
      write(block, 0, block.documentCount(), 0, documents);
      return;
    }
    List<RejectedLine> rejected = block.rejected();
    long blockStart = block.end().lineNumber() - block.lineCount(); // in this input
    int nextRejected = 0;
    int document = 0;
    int run = 0; // first document that is not written
    int runPartition = 0;
    for (int line = 0; line < block.lineCount(); line++) {
      if (nextRejected < rejected.size()
          && rejected.get(nextRejected).lineNumber() == blockStart + line + 1) {
        nextRejected++;
        continue;
      }
      int partition = partition(firstLine + line);
      if (partition != runPartition) {
        write(block, run, document, runPartition, documents);
        run = document;
        runPartition = partition;
      }
      document++;
    }
    write(block, run, document, runPartition, documents);
  }

  private int partition(long line) {
    return config.partitions().sequential()
        ? (int) Math.min(partitions - 1, line / Math.max(1, partitionLines))
        : (int) (line % partitions);
  }

  private void write(EncodedBlock block, int from, int to, int partition, long[] documents)
      throws IOException {
    for (int key = 0; key < config.jsonKeys().size(); key++) {
      block.writeTo(key, from, to, parts.get(partition).get(key));
    }
    documents[partition] += to - from;
  }

  /** Documents written, the same for every key. */
  long documentCount() {
    long count = 0;
    for (List<IndexedDatasetWriter> part : parts) {
      count += part.get(0).documentCount();
    }
    return count;
  }

  /** Puts the partitions together; goes on where an earlier process stopped. */
  void merge(IndexedDatasetWriter.Step step) throws IOException {
    for (int key = 0; key < merged.size(); key++) {
      List<IndexedDatasetWriter> ofKey = new ArrayList<>();
      for (List<IndexedDatasetWriter> part : parts) {
        ofKey.add(part.get(key));
      }
      merged.get(key).appendWritten(ofKey, step);
    }
  }

  /** Everything a commit needs, in the order in which it must appear. */
  record SealedFiles(
      List<PendingFile> files,
      List<JournalRecord.Stream> streams,
      List<JournalRecord.SealedOutput> outputs) {}

  /**
   * Completes all files.
   *
   * @param sources what each partition was made from
   * @param reports files that appear with the datasets
   */
  SealedFiles seal(
      List<List<DatasetMetadata.Source>> sources, List<PendingFile> reports, Scope opened)
      throws IOException {
    List<PendingFile> data = new ArrayList<>();
    List<PendingFile> beside = new ArrayList<>();
    List<PendingFile> indexes = new ArrayList<>();
    List<String> dataHashes = new ArrayList<>();
    List<String> besideHashes = new ArrayList<>();
    List<String> indexHashes = new ArrayList<>();
    List<JournalRecord.SealedOutput> outputs = new ArrayList<>();
    int datasets = config.jsonKeys().size() * (partitions + (merged.isEmpty() ? 0 : 1));
    int filesBeforeIndexes = 2 * datasets + reports.size();
    List<List<DatasetMetadata>> metadata = new ArrayList<>(); // [key][partition]
    config.jsonKeys().forEach(key -> metadata.add(new ArrayList<>()));
    for (int row = 0; row < partitions + (merged.isEmpty() ? 0 : 1); row++) {
      boolean whole = row == partitions;
      for (int k = 0; k < config.jsonKeys().size(); k++) {
        String key = config.jsonKeys().get(k);
        IndexedDatasetWriter writer = whole ? merged.get(k) : parts.get(row).get(k);
        Path prefix = whole ? config.datasetPrefix(key) : partPrefix(config, row, key);
        IndexedDatasetWriter.Hashes hashes = writer.seal();
        DatasetMetadata made =
            whole
                ? DatasetMetadata.merge(metadata.get(k))
                : describe(key, writer, sources.get(row));
        metadata.get(k).add(made);
        PendingFile sidecar = opened.add(PendingFile.resumable(DatasetMetadata.file(prefix)));
        made.write(sidecar);
        outputs.add(
            new JournalRecord.SealedOutput(
                key,
                ResumableFiles.name(prefix),
                partitions > 1 && !whole,
                writer.documentCount(),
                writer.sequenceCount(),
                writer.tokenCount(),
                data.size(),
                filesBeforeIndexes + indexes.size()));
        data.add(writer.files().get(0));
        dataHashes.add(hashes.data());
        beside.add(sidecar);
        besideHashes.add(sidecar.seal());
        indexes.add(writer.files().get(1));
        indexHashes.add(hashes.index());
      }
    }
    for (PendingFile report : reports) {
      beside.add(report);
      besideHashes.add(report.seal());
    }
    List<PendingFile> files = concat(data, beside, indexes);
    List<String> hashes = concat(dataHashes, besideHashes, indexHashes);
    List<JournalRecord.Stream> streams = new ArrayList<>();
    for (int i = 0; i < files.size(); i++) {
      PendingFile file = files.get(i);
      streams.add(
          new JournalRecord.Stream(
              ResumableFiles.name(file.target()), file.bytes(), hashes.get(i)));
    }
    return new SealedFiles(files, streams, outputs);
  }

  private static <T> List<T> concat(List<T> first, List<T> second, List<T> third) {
    List<T> all = new ArrayList<>(first);
    all.addAll(second);
    all.addAll(third);
    return all;
  }

  private DatasetMetadata describe(
      String key, IndexedDatasetWriter writer, List<DatasetMetadata.Source> sources) {
    return new DatasetMetadata(
        Preprocessor.TOOL,
        config.tokenizer(),
        key,
        config.level(),
        config.appendEod(),
        writer.tokenType(),
        writer.documentCount(),
        writer.sequenceCount(),
        writer.tokenCount(),
        sources);
  }
}
