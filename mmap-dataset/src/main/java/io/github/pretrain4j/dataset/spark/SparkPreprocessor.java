package io.github.pretrain4j.dataset.spark;

import io.github.pretrain4j.dataset.CorruptDatasetException;
import io.github.pretrain4j.dataset.DatasetMerger;
import io.github.pretrain4j.dataset.DatasetMetadata;
import io.github.pretrain4j.dataset.IndexedDataset;
import io.github.pretrain4j.dataset.OpenOptions;
import io.github.pretrain4j.dataset.TokenType;
import io.github.pretrain4j.dataset.preprocess.BadLinePolicy;
import io.github.pretrain4j.dataset.preprocess.InputList;
import io.github.pretrain4j.dataset.preprocess.LineRange;
import io.github.pretrain4j.dataset.preprocess.LineRangeEncoder;
import io.github.pretrain4j.dataset.preprocess.MalformedLineException;
import io.github.pretrain4j.dataset.preprocess.Partitions;
import io.github.pretrain4j.dataset.preprocess.Preprocessor;
import io.github.pretrain4j.dataset.storage.FileCommit;
import io.github.pretrain4j.dataset.storage.PendingFile;
import java.io.IOException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.apache.spark.api.java.JavaSparkContext;

/**
 * {@link Preprocessor} with Spark's executors as its workers. The datasets have the same bytes,
 * whatever the number of ranges and executors.
 *
 * <p>Inputs, the work directory and what the encoders read are on storage that the driver and all
 * executors see under the same paths. Inputs are plain files that do not change meanwhile; neither
 * compressed ones nor the standard input can be cut into ranges. The first bad line ends the run,
 * and there is no journal to resume from: Spark repeats what failed.
 */
public final class SparkPreprocessor {
  private static final int DELETE_ATTEMPTS = 10;

  private SparkPreprocessor() {}

  /**
   * The dataset of one key.
   *
   * @param key the JSON key
   * @param prefix path of its files without {@code .bin} and {@code .idx}
   * @param documents documents, empty ones included
   * @param sequences sequences
   * @param tokens tokens, eods included
   */
  public record Output(String key, Path prefix, long documents, long sequences, long tokens) {}

  /**
   * Encodes all inputs. Each key's dataset appears complete, by rename, when all is encoded; after
   * a failure before that nothing new is there.
   *
   * @param context where tasks run
   * @param config what and how; its {@code workers} do not count here, Spark's executors do
   * @param encoders makes the tokenizer's encoders on the executors
   * @param workDirectory where shards are until they are put together; as large as the datasets
   * @param ranges how many tasks are wanted; some for every core, so that all are busy
   * @return one for each key
   * @throws IllegalArgumentException if the config wants what cannot be done here
   * @throws MalformedLineException for the first line that is not as it should be
   * @throws CorruptDatasetException if a shard is not what its task said
   */
  public static List<Output> run(
      JavaSparkContext context,
      Preprocessor.Config config,
      SerializableEncoderFactory encoders,
      Path workDirectory,
      int ranges)
      throws IOException {
    requirePossible(config);
    String level = encoders.openSentenceSplitter().isPresent() ? "sentence" : "document";
    List<Path> files = plainFiles(config);
    List<LineRange> parts = LineRange.divide(files, ranges);
    if (parts.isEmpty()) {
      parts = List.of(new LineRange(files.get(0).toString(), 0, 0));
    }
    Path work = Files.createTempDirectory(workDirectory.toAbsolutePath(), "p4j-spark-");
    try {
      RangeTask task =
          new RangeTask(
              new LineRangeEncoder.Options(
                  config.jsonKeys(), config.appendEod(), config.eodId(), config.vocabularySize()),
              encoders,
              work.toString());
      List<RangeTask.Shards> shards = context.parallelize(parts, parts.size()).map(task).collect();
      for (RangeTask.Shards shard : shards) {
        RangeTask.BadLineReport badLine = shard.badLine();
        if (badLine != null) {
          throw badLine.toException();
        }
      }
      List<DigestTask.Digest> inputs =
          context
              .parallelize(files.stream().map(Path::toString).distinct().toList(), files.size())
              .map(new DigestTask())
              .collect();
      List<Output> outputs = new ArrayList<>();
      for (int key = 0; key < config.jsonKeys().size(); key++) {
        outputs.add(merge(config, key, level, shards, inputs));
      }
      return outputs;
    } finally {
      delete(work);
    }
  }

  private static void requirePossible(Preprocessor.Config config) {
    if (config.badLines() != BadLinePolicy.FAIL) {
      throw new IllegalArgumentException("on Spark the first bad line ends the run: FAIL it is");
    }
    if (!config.partitions().equals(Partitions.NONE)) {
      throw new IllegalArgumentException("on Spark there are no partitions to keep: NONE it is");
    }
    if (config.sentences() != null) {
      throw new IllegalArgumentException(
          "on Spark the encoder factory makes the sentence splitter, not the config");
    }
    if (config.restart()) {
      throw new IllegalArgumentException("on Spark there is no earlier run to resume or to delete");
    }
  }

  private static List<Path> plainFiles(Preprocessor.Config config) throws IOException {
    InputList inputs = InputList.resolve(config.inputs());
    List<Path> files = new ArrayList<>();
    for (int i = 0; i < inputs.size(); i++) {
      Path file = inputs.file(i);
      String name = file.toString();
      if (!Files.isRegularFile(file) || name.endsWith(".gz") || name.endsWith(".zst")) {
        throw new IllegalArgumentException(
            name + ": only plain files can be cut into ranges; decompress it first");
      }
      files.add(file);
    }
    return files;
  }

  private static Output merge(
      Preprocessor.Config config,
      int key,
      String level,
      List<RangeTask.Shards> shards,
      List<DigestTask.Digest> inputs)
      throws IOException {
    String name = config.jsonKeys().get(key);
    List<Path> prefixes = new ArrayList<>();
    long documents = 0;
    long sequences = 0;
    long tokens = 0;
    for (RangeTask.Shards shard : shards) {
      Path prefix = Path.of(shard.prefixes().get(key));
      LineRangeEncoder.Counts counts = shard.counts().get(key);
      requireCounts(prefix, counts);
      DatasetMetadata sidecar =
          new DatasetMetadata(
              Preprocessor.TOOL,
              config.tokenizer(),
              name,
              level,
              config.appendEod(),
              TokenType.forVocabularySize(config.vocabularySize()),
              counts.documents(),
              counts.sequences(),
              counts.tokens(),
              sources(inputs, shard.range(), counts.documents(), prefixes.isEmpty()));
      try (PendingFile file = PendingFile.create(DatasetMetadata.file(prefix))) {
        sidecar.write(file);
        file.seal();
        FileCommit.commit(List.of(file), FileCommit.StepListener.NONE);
      }
      prefixes.add(prefix);
      documents = Math.addExact(documents, counts.documents());
      sequences = Math.addExact(sequences, counts.sequences());
      tokens = Math.addExact(tokens, counts.tokens());
    }
    Path output = IndexedDataset.withSuffix(config.outputPrefix(), "_" + name + "_" + level);
    DatasetMerger.merge(prefixes, output, OpenOptions.Modes.REFUSE);
    return new Output(name, output, documents, sequences, tokens);
  }

  /** What a shard is from; the first one names all inputs, so that none and no order is lost. */
  private static List<DatasetMetadata.Source> sources(
      List<DigestTask.Digest> inputs, LineRange range, long documents, boolean all) {
    List<DatasetMetadata.Source> sources = new ArrayList<>();
    for (DigestTask.Digest input : inputs) {
      boolean own = input.file().equals(range.file());
      if (own || all) {
        sources.add(
            new DatasetMetadata.Source(
                input.file(), input.bytes(), input.sha256(), own ? documents : 0));
      }
    }
    return sources;
  }

  private static void requireCounts(Path prefix, LineRangeEncoder.Counts counts)
      throws IOException {
    try (IndexedDataset shard = IndexedDataset.open(prefix)) {
      LineRangeEncoder.Counts found =
          new LineRangeEncoder.Counts(
              shard.documentCount(), shard.sequenceCount(), shard.tokenCount());
      if (!found.equals(counts)) {
        throw new CorruptDatasetException(
            IndexedDataset.indexFile(prefix), 0, "what its task wrote", counts, found);
      }
    }
  }

  /** Deletes a directory, in which an attempt that Spark has not stopped yet may still write. */
  private static void delete(Path directory) throws IOException {
    for (int attempt = 1; ; attempt++) {
      try (Stream<Path> files = Files.list(directory)) {
        for (Path file : files.toList()) {
          Files.deleteIfExists(file);
        }
        Files.delete(directory);
        return;
      } catch (NoSuchFileException e) {
        return;
      } catch (DirectoryNotEmptyException e) {
        if (attempt == DELETE_ATTEMPTS) {
          throw e;
        }
      }
    }
  }
}
