package io.github.pretrain4j.dataset.spark;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.pretrain4j.dataset.DatasetMetadata;
import io.github.pretrain4j.dataset.IndexedDataset;
import io.github.pretrain4j.dataset.preprocess.LineRange;
import io.github.pretrain4j.dataset.preprocess.LineRangeEncoder;
import io.github.pretrain4j.dataset.preprocess.MalformedLineException;
import io.github.pretrain4j.dataset.preprocess.Partitions;
import io.github.pretrain4j.dataset.preprocess.Preprocessor;
import io.github.pretrain4j.dataset.preprocess.TokenEncoder;
import io.github.pretrain4j.dataset.sentences.SentenceSplitter;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.stream.Stream;
import org.apache.spark.SparkConf;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.JavaSparkContext;
import org.jspecify.annotations.NullUnmarked;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@NullUnmarked // JUnit injects, and assertions check, what the compiler cannot see
class SparkPreprocessorTest {
  private static final int EOD = 300;

  private static JavaSparkContext spark;

  @TempDir Path temporary;
  private Path work;

  @BeforeAll
  static void start() {
    spark =
        new JavaSparkContext(
            new SparkConf()
                .setMaster("local[2,3]") // two threads, and a task may fail twice
                .setAppName("SparkPreprocessorTest")
                .set("spark.ui.enabled", "false")
                .set("spark.driver.bindAddress", "127.0.0.1")
                .set("spark.driver.host", "127.0.0.1"));
  }

  @AfterAll
  static void stop() {
    spark.close();
  }

  @BeforeEach
  void makeWorkDirectory() throws IOException {
    work = Files.createDirectory(temporary.resolve("work"));
  }

  /** The bytes of a text are its ids. */
  record Bytes() implements SerializableEncoderFactory {
    @Override
    public TokenEncoder open() {
      return (utf8, offset, length, out) -> {
        for (int i = offset; i < offset + length; i++) {
          out.add(utf8[i] & 0xFF);
        }
      };
    }
  }

  /** Cuts behind full stops. */
  record Sentences() implements SerializableEncoderFactory {
    @Override
    public TokenEncoder open() {
      return new Bytes().open();
    }

    @Override
    public Optional<SentenceSplitter> openSentenceSplitter() {
      return Optional.of(text -> Arrays.asList(text.split("(?<=\\.)", -1)));
    }
  }

  /** Fails in the middle of a shard at the first attempt of every task. */
  record FirstAttemptFails() implements SerializableEncoderFactory {
    @Override
    public TokenEncoder open() {
      int attempt = TaskContext.get().attemptNumber();
      TokenEncoder bytes = new Bytes().open();
      int[] texts = {0};
      return (utf8, offset, length, out) -> {
        bytes.encode(utf8, offset, length, out);
        if (attempt == 0 && ++texts[0] == 20) {
          throw new IllegalStateException("this attempt is to fail");
        }
      };
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 3, 12})
  void bytesAreThoseOfTheLocalRun(int ranges) throws IOException {
    Preprocessor.Config config =
        config("spark", inputs()).withJsonKeys(List.of("text", "title")).withEod(EOD);
    List<SparkPreprocessor.Output> outputs =
        SparkPreprocessor.run(spark, config, new Bytes(), work, ranges);
    Preprocessor.Config local =
        config("local", inputs()).withJsonKeys(List.of("text", "title")).withEod(EOD);
    Preprocessor.run(local, new Bytes()::open, Preprocessor.ProgressListener.NONE);
    for (SparkPreprocessor.Output output : outputs) {
      assertSameFiles(local.datasetPrefix(output.key()), output.prefix());
      assertEquals(1203, output.documents());
      DatasetMetadata sidecar = DatasetMetadata.read(output.prefix()).orElseThrow();
      assertEquals(1203, sidecar.documents());
      assertEquals(
          List.of(600L, 0L, 603L),
          sidecar.sources().stream().map(DatasetMetadata.Source::documents).toList());
      assertEquals(inputs(), sidecar.sources().stream().map(DatasetMetadata.Source::name).toList());
    }
    assertNothingLeft();
  }

  @Test
  void failedAttemptsLeaveAndDuplicateNothing() throws IOException {
    Preprocessor.Config config = config("spark", inputs());
    SparkPreprocessor.run(spark, config, new FirstAttemptFails(), work, 6);
    Preprocessor.Config local = config("local", inputs());
    Preprocessor.run(local, new Bytes()::open, Preprocessor.ProgressListener.NONE);
    assertSameFiles(local.datasetPrefix("text"), config.datasetPrefix("text"));
    assertNothingLeft();
  }

  @Test
  void attemptsOfOneRangeWriteUnderNamesOfTheirOwn() throws IOException {
    RangeTask task =
        new RangeTask(
            new LineRangeEncoder.Options(List.of("text"), false, 0, 400),
            new Bytes(),
            work.toString());
    LineRange range = LineRange.divide(List.of(Path.of(inputs().get(0))), 1).get(0);
    RangeTask.Shards one = task.encode(range, 0, 7);
    RangeTask.Shards other = task.encode(range, 0, 8);
    assertEquals(one.counts(), other.counts());
    assertFalse(one.prefixes().equals(other.prefixes()));
    assertSameFiles(Path.of(one.prefixes().get(0)), Path.of(other.prefixes().get(0)));
  }

  @Test
  void theFirstBadLineIsToldAsTheLocalRunTellsIt() throws IOException {
    Path file = temporary.resolve("bad.jsonl");
    List<String> lines = new ArrayList<>();
    for (int i = 0; i < 200; i++) {
      lines.add(i == 150 || i == 180 ? "{\"text\": " + i + "}" : "{\"text\": \"" + i + "\"}");
    }
    Files.writeString(file, String.join("\r\n", lines) + "\n");
    MalformedLineException local =
        assertThrows(
            MalformedLineException.class,
            () ->
                Preprocessor.run(
                    config("local", List.of(file.toString())),
                    new Bytes()::open,
                    Preprocessor.ProgressListener.NONE));
    MalformedLineException distributed =
        assertThrows(
            MalformedLineException.class,
            () ->
                SparkPreprocessor.run(
                    spark, config("spark", List.of(file.toString())), new Bytes(), work, 7));
    assertEquals(local.getMessage(), distributed.getMessage());
    assertEquals(151, distributed.lineNumber());
    assertFalse(Files.exists(temporary.resolve("spark_text_document.idx")));
    assertNothingLeft();
  }

  @Test
  void sentencesAreSequences() throws IOException {
    Path file =
        Files.writeString(temporary.resolve("s.jsonl"), "{\"text\": \"A.B.C\"}\n{\"text\": \"D\"}");
    List<SparkPreprocessor.Output> outputs =
        SparkPreprocessor.run(
            spark, config("spark", List.of(file.toString())), new Sentences(), work, 2);
    assertEquals(4, outputs.get(0).sequences());
    assertTrue(outputs.get(0).prefix().toString().endsWith("_text_sentence"));
  }

  @Test
  void emptyInputsMakeAnEmptyDataset() throws IOException {
    Path file = Files.createFile(temporary.resolve("empty.jsonl"));
    List<String> input = List.of(file.toString());
    SparkPreprocessor.run(spark, config("spark", input), new Bytes(), work, 4);
    Preprocessor.run(config("local", input), new Bytes()::open, Preprocessor.ProgressListener.NONE);
    assertSameFiles(
        config("local", input).datasetPrefix("text"), config("spark", input).datasetPrefix("text"));
  }

  @Test
  void whatSparkCannotDoIsRefused() throws IOException {
    Path file = Files.createFile(temporary.resolve("a.jsonl.gz"));
    for (Preprocessor.Config config :
        List.of(
            config("x", List.of(file.toString())),
            config("x", inputs()).withRestart(),
            config("x", inputs()).withPartitions(Partitions.roundRobin(2)))) {
      assertThrows(
          IllegalArgumentException.class,
          () -> SparkPreprocessor.run(spark, config, new Bytes(), work, 2));
    }
    assertNothingLeft();
  }

  private Preprocessor.Config config(String name, List<String> inputs) {
    return Preprocessor.Config.of(inputs, temporary.resolve(name), 400);
  }

  /** Three files: every kind of line end, none at the end of one, and an empty one. */
  private List<String> inputs() throws IOException {
    Random random = new Random(4);
    String[] ends = {"\n", "\r\n", "\n", "\r"};
    List<String> files = new ArrayList<>();
    for (int f = 0; f < 3; f++) {
      StringBuilder text = new StringBuilder();
      for (int i = 0; f != 1 && i < 600; i++) {
        text.append("{\"title\": \"t").append(i).append("\", \"text\": \"");
        text.append("a b ".repeat(random.nextInt(30))).append("\u00e9\"}");
        text.append(ends[random.nextInt(ends.length)]);
      }
      if (f == 2) {
        text.append(
            "{\"title\": \"\", \"text\": []}\n{\"title\": [], \"text\": [\"x\", \"yz\"]}\n");
        text.append("{\"title\": \"last\", \"text\": \"no end\"}");
      }
      Path file = temporary.resolve("in" + f + ".jsonl");
      Files.write(file, text.toString().getBytes(StandardCharsets.UTF_8));
      files.add(file.toString());
    }
    return files;
  }

  private static void assertSameFiles(Path expected, Path found) throws IOException {
    assertArrayEquals(
        Files.readAllBytes(IndexedDataset.dataFile(expected)),
        Files.readAllBytes(IndexedDataset.dataFile(found)));
    assertArrayEquals(
        Files.readAllBytes(IndexedDataset.indexFile(expected)),
        Files.readAllBytes(IndexedDataset.indexFile(found)));
  }

  private void assertNothingLeft() throws IOException {
    try (Stream<Path> left = Files.list(work)) {
      assertEquals(List.of(), left.toList());
    }
  }
}
