package io.github.pretrain4j.dataset.preprocess;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.pretrain4j.dataset.Golden;
import io.github.pretrain4j.dataset.IndexedDataset;
import io.github.pretrain4j.dataset.TokenType;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.jspecify.annotations.NullUnmarked;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

@NullUnmarked // JUnit injects, and assertions check, what the compiler cannot see
class PreprocessorTest {
  private static final TokenEncoder.Factory ENCODER = NullEncoder::new;

  @TempDir Path temporary;

  static LongStream seeds() {
    Long replay = Long.getLong("test.seed");
    return replay == null ? LongStream.range(0, 8) : LongStream.of(replay);
  }

  private static Preprocessor.Config config(
      Path input, Path prefix, boolean appendEod, int vocabularySize, int workers) {
    Preprocessor.Config config =
        Preprocessor.Config.of(List.of(input.toString()), prefix, vocabularySize)
            .withWorkers(workers);
    return appendEod ? config.withEod(vocabularySize - 1) : config;
  }

  private Path input(String content) throws IOException {
    return Files.writeString(temporary.resolve("in.jsonl"), content);
  }

  private Preprocessor.Report run(String content) throws IOException {
    return Preprocessor.run(
        config(input(content), temporary.resolve("out"), true, 1000, 2),
        ENCODER,
        Preprocessor.ProgressListener.NONE);
  }

  private List<String> names() throws IOException {
    try (Stream<Path> files = Files.list(temporary)) {
      return files.map(file -> file.getFileName().toString()).sorted().toList();
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 5})
  void writesMegatronsBytes(int workers) throws IOException {
    Path data = Golden.resources().resolve("data");
    Path numbers = data.resolve("numbers.jsonl");
    Preprocessor.run(
        config(numbers, temporary.resolve("null_int32_eod_head"), true, 70000, workers),
        ENCODER,
        Preprocessor.ProgressListener.NONE);
    Preprocessor.run(
        config(numbers, temporary.resolve("null_u16edge_head"), false, 65500, workers),
        ENCODER,
        Preprocessor.ProgressListener.NONE);
    assertEquals(6, names().size());
    for (String name : names().stream().filter(n -> !n.endsWith(".meta.json")).toList()) {
      assertArrayEquals(
          Files.readAllBytes(data.resolve(name)),
          Files.readAllBytes(temporary.resolve(name)),
          name);
    }
  }

  /** The worked example of the format's description: lists, empty texts, an empty document. */
  @Test
  void keepsEmptyDocumentsAndDropsEmptySequences() throws IOException {
    Preprocessor.Report report =
        run(
            """
            {"text": "1 2 3"}
            {"text": ""}
            {"text": ["4 5", "", "6"]}
            {"text": "7"}
            """);
    assertEquals(
        "010002000300e703040005000600e7030700e703",
        HexFormat.of().formatHex(Files.readAllBytes(temporary.resolve("out_text_document.bin"))));
    assertEquals(
        "4d4d494449445800000100000000000000080400000000000000050000000000000004000000020000000200000002"
            + "00000000000000000000000800000000000000"
            + "0c00000000000000100000000000000000000000000000000100000000000000"
            + "010000000000000003000000000000000400000000000000",
        HexFormat.of().formatHex(Files.readAllBytes(temporary.resolve("out_text_document.idx"))));
    Preprocessor.Output output = report.outputs().get(0);
    assertEquals(4, report.documents());
    assertEquals(4, output.documents());
    assertEquals(4, output.sequences());
    assertEquals(10, output.tokens());
    assertEquals(20, output.data().bytes());
    assertEquals(122, output.index().bytes());
  }

  @Test
  void anEmptyFileIsAnEmptyDataset() throws IOException {
    Preprocessor.Report report = run("");
    assertEquals(0, report.documents());
    assertEquals(
        "4d4d4944494458000001000000000000000800000000000000000100000000000000" + "00".repeat(8),
        HexFormat.of().formatHex(Files.readAllBytes(temporary.resolve("out_text_document.idx"))));
    assertEquals(0, Files.size(temporary.resolve("out_text_document.bin")));
    try (IndexedDataset dataset = IndexedDataset.open(temporary.resolve("out_text_document"))) {
      dataset.verify();
      assertEquals(0, dataset.documentCount());
    }
  }

  @Test
  void reportsHashesAndProgress() throws IOException, java.security.GeneralSecurityException {
    Path input = input("{\"text\": \"1 2\"}\n{\"text\": \"3\"}");
    List<List<Long>> progress = new ArrayList<>();
    Preprocessor.Report report =
        Preprocessor.run(
            config(input, temporary.resolve("out"), false, 1000, 1),
            ENCODER,
            (documents, bytes, total) -> progress.add(List.of(documents, bytes, total)));
    assertEquals(List.of(List.of(2L, 29L, 29L)), progress);
    assertEquals(29, report.inputBytes());
    for (Preprocessor.Output output : report.outputs()) {
      for (Preprocessor.OutputFile file : List.of(output.data(), output.index())) {
        byte[] bytes = Files.readAllBytes(file.path());
        assertEquals(bytes.length, file.bytes());
        assertEquals(
            HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes)),
            file.sha256());
      }
    }
  }

  @Test
  void writesOneDatasetForEachKey() throws IOException {
    Path input =
        input("{\"b\": \"1\", \"x\": {\"b\": 2}, \"a\": [\"2 3\"]}\r{\"a\": \"\", \"b\": \"4\"}");
    Preprocessor.Report report =
        Preprocessor.run(
            Preprocessor.Config.of(
                    List.of(input.toString(), input.toString()), temporary.resolve("out.v1"), 70000)
                .withJsonKeys(List.of("a", "b"))
                .withWorkers(2),
            ENCODER,
            Preprocessor.ProgressListener.NONE);
    assertEquals(4, report.documents());
    assertEquals(
        List.of(
            "in.jsonl",
            "out.v1_a_document.bin",
            "out.v1_a_document.idx",
            "out.v1_a_document.meta.json",
            "out.v1_b_document.bin",
            "out.v1_b_document.idx",
            "out.v1_b_document.meta.json"),
        names());
    try (IndexedDataset a = IndexedDataset.open(temporary.resolve("out.v1_a_document"));
        IndexedDataset b = IndexedDataset.open(temporary.resolve("out.v1_b_document"))) {
      assertEquals(2, a.sequenceCount());
      assertEquals(4, a.documentCount());
      assertArrayEquals(new int[] {2, 3}, a.sequence(1));
      assertEquals(4, b.sequenceCount());
      assertArrayEquals(new int[] {4}, b.sequence(3));
      assertEquals(TokenType.INT32, b.tokenType());
    }
  }

  /** Many blocks, so that the order of workers could show. */
  @ParameterizedTest(name = "-Dtest.seed={0}")
  @MethodSource("seeds")
  void theNumberOfWorkersChangesNothing(long seed) throws IOException {
    Random random = new Random(seed);
    StringBuilder content = new StringBuilder();
    String[] ends = {"\n", "\r\n", "\r"};
    int lines = 500 + random.nextInt(4000);
    for (int i = 0; i < lines; i++) {
      int tokens =
          random.nextInt(10) == 0 ? 0 : random.nextInt(random.nextInt(50) == 0 ? 9999 : 90);
      content
          .append("{\"pad\": \"")
          .append("汉".repeat(random.nextInt(9)))
          .append("\", \"text\": \"");
      content.append(
          String.join(
              " ",
              IntStream.range(0, tokens)
                  .mapToObj(j -> Integer.toString(random.nextInt(1000)))
                  .toList()));
      content.append("\"}").append(ends[random.nextInt(3)]);
    }
    Path input = input(content.toString());
    List<String> hashes = new ArrayList<>();
    for (int workers : new int[] {1, 2, 1 + random.nextInt(8)}) {
      Preprocessor.Report report =
          Preprocessor.run(
              config(input, temporary.resolve("out"), true, 1000, workers),
              ENCODER,
              Preprocessor.ProgressListener.NONE);
      assertEquals(lines, report.documents());
      Preprocessor.Output output = report.outputs().get(0);
      hashes.add(output.data().sha256() + output.index().sha256());
    }
    assertEquals(hashes.get(0), hashes.get(1));
    assertEquals(hashes.get(0), hashes.get(2));
    try (IndexedDataset dataset = IndexedDataset.open(temporary.resolve("out_text_document"))) {
      dataset.verify();
      assertEquals(lines, dataset.documentCount());
    }
  }

  private void assertMalformed(String content, long line, long byteOffset, String expectedPart)
      throws IOException {
    input(content);
    List<String> before = names();
    MalformedLineException e = assertThrows(MalformedLineException.class, () -> run(content));
    assertTrue(e.getMessage().contains(expectedPart), e.getMessage());
    assertEquals(line, e.lineNumber(), e.getMessage());
    assertEquals(byteOffset, e.byteOffset(), e.getMessage());
    assertEquals(temporary.resolve("in.jsonl"), e.file());
    assertEquals(before, names());
  }

  @Test
  void saysWhatIsWrongWithALine() throws IOException {
    String good = "{\"text\": \"1\"}\n";
    assertMalformed(good + "\n" + good, 2, 14, "found a blank line");
    assertMalformed(good + "  \r\n" + good, 2, 14, "found a blank line");
    assertMalformed(good + "{\"text\": \"1", 2, 25, "expected a JSON object");
    assertMalformed(good + "{\"text\": x}", 2, 23, "'x'");
    assertMalformed(good + "{\"title\": \"1\"}", 2, 14, "the key \"text\", found only title");
    assertMalformed(good + "{\"text\": null}", 2, 23, "found null");
    assertMalformed(good + "{\"text\": 5}", 2, 23, "found a number");
    assertMalformed(good + "{\"text\": {\"text\": \"1\"}}", 2, 23, "found an object");
    assertMalformed(good + "{\"text\": [\"1\", [\"2\"]]}", 2, 29, "found an array");
    assertMalformed(good + "[\"text\"]", 2, 14, "found an array");
    assertMalformed(good + "{\"text\": \"1\"} {}", 2, 28, "the end of the line");
    assertMalformed(good + "\ufeff{\"text\": \"1\"}", 2, 14, "a byte order mark");
    assertMalformed(good + "{\"text\": \"\\ud800\"}", 2, 23, "half a surrogate pair, \\ud800");
    assertMalformed(good + "{\"text\": \"1 x\"}", 2, 14, "For input string: \"x\"");
    assertMalformed(good + "{\"text\": \"a\tb\"}", 2, 25, "expected a JSON object");
    assertMalformed(good + "{\"text\"\0: \"1\"}", 2, 21, "expected a JSON object");
    assertMalformed("{\0\"\0t", 1, 1, "the byte 0x00");
    assertMalformed("[".repeat(5000), 1, 0, "found an array");
    assertMalformed("{\"x\":" + "[".repeat(5000), 1, 1004, "nesting depth");
  }

  @Test
  void acceptsWhatPythonAccepts() throws IOException {
    run("{\"x\": NaN, \"y\": [-Infinity, 1e5], \"text\": 5, \"text\": \"1\"} \t\r{\"text\":[]}");
    try (IndexedDataset dataset = IndexedDataset.open(temporary.resolve("out_text_document"))) {
      assertEquals(2, dataset.documentCount());
      assertArrayEquals(new int[] {1, 999}, dataset.sequence(0));
    }
  }

  @Test
  void refusesBytesThatAreNoUtf8() throws IOException {
    Path input = temporary.resolve("in.jsonl");
    byte[] bytes =
        "{\"text\": \"1\"}\n{\"text\": \"1\", \"x\": \"?\"}\n".getBytes(StandardCharsets.UTF_8);
    int at = new String(bytes, StandardCharsets.UTF_8).indexOf('?');
    bytes[at] = (byte) 0x80;
    Files.write(input, bytes);
    MalformedLineException e =
        assertThrows(
            MalformedLineException.class,
            () ->
                Preprocessor.run(
                    config(input, temporary.resolve("out"), true, 1000, 1),
                    ENCODER,
                    Preprocessor.ProgressListener.NONE));
    assertEquals(at, e.byteOffset());
    assertEquals(2, e.lineNumber());
    assertEquals("the byte 0x80", e.found());
  }

  /** Whichever worker is first, the first bad line of the input is reported. */
  @ParameterizedTest(name = "-Dtest.seed={0}")
  @MethodSource("seeds")
  void reportsTheFirstBadLine(long seed) throws IOException {
    Random random = new Random(seed);
    int lines = 60_000;
    int bad = random.nextInt(lines - 100);
    StringBuilder content = new StringBuilder();
    int offset = 0;
    for (int i = 0; i < lines; i++) {
      if (i == bad) {
        offset = content.length();
      }
      content.append(
          i == bad || (i > bad && random.nextInt(50) == 0) ? "{}\n" : "{\"text\": \"1 2 3\"}\r\n");
    }
    assertMalformed(content.toString(), bad + 1, offset, "found an empty object");
  }

  @Test
  void anIdOutsideTheTypeIsTheCallersMistake() throws IOException {
    IllegalArgumentException e =
        assertThrows(IllegalArgumentException.class, () -> run("{\"text\": \"70000\"}"));
    assertTrue(e.getMessage().contains("token id 70000 does not fit UINT16"), e.getMessage());
    assertEquals(List.of("in.jsonl"), names());
  }

  @Test
  void missingInputsAndDirectoriesAreSaidSo() throws IOException {
    Path input = input("{\"text\": \"1\"}\n");
    assertThrows(
        NoSuchFileException.class,
        () ->
            Preprocessor.run(
                config(temporary.resolve("none"), temporary.resolve("out"), true, 1000, 1),
                ENCODER,
                Preprocessor.ProgressListener.NONE));
    FileSystemException e =
        assertThrows(
            FileSystemException.class,
            () ->
                Preprocessor.run(
                    config(input, temporary.resolve("none").resolve("out"), true, 1000, 1),
                    ENCODER,
                    Preprocessor.ProgressListener.NONE));
    assertTrue(e.getMessage().contains("its directory does not exist"), e.getMessage());
    assertEquals(List.of("in.jsonl"), names());
  }

  @Test
  void anEncoderThatFailsStopsTheRunAndLeavesNothing() throws IOException {
    Path input = input("{\"text\": \"1\"}\n".repeat(100_000));
    IllegalStateException e =
        assertThrows(
            IllegalStateException.class,
            () ->
                Preprocessor.run(
                    config(input, temporary.resolve("out"), true, 1000, 2),
                    TokenEncoder.Factory.ofStrings(
                        text -> {
                          throw new IllegalStateException("broken");
                        }),
                    Preprocessor.ProgressListener.NONE));
    assertEquals("broken", e.getMessage());
    assertEquals(List.of("in.jsonl"), names());
    assertNoThreads();
  }

  @Test
  void aListenerThatFailsStopsTheRunAndLeavesNothing() throws IOException {
    Path input = input("{\"text\": \"1\"}\n".repeat(100_000));
    assertThrows(
        IllegalStateException.class,
        () ->
            Preprocessor.run(
                config(input, temporary.resolve("out"), true, 1000, 2),
                ENCODER,
                (documents, bytes, total) -> {
                  throw new IllegalStateException("enough");
                }));
    assertEquals(List.of("in.jsonl"), names());
    assertNoThreads();
  }

  private static void assertNoThreads() {
    assertTrue(
        Thread.getAllStackTraces().keySet().stream()
            .noneMatch(thread -> thread.getName().startsWith("p4j-preprocess")));
  }

  @Test
  void checksItsConfiguration() {
    Preprocessor.Config good = Preprocessor.Config.of(List.of("in"), Path.of("out"), 10);
    assertRefused(() -> Preprocessor.Config.of(List.of(), Path.of("out"), 10));
    assertRefused(() -> Preprocessor.Config.of(List.of("in"), Path.of("out"), 0));
    assertRefused(() -> good.withJsonKeys(List.of()));
    assertRefused(() -> good.withJsonKeys(List.of("a", "a")));
    assertRefused(() -> good.withJsonKeys(List.of("a/b")));
    assertRefused(() -> good.withWorkers(0));
    assertRefused(() -> good.withEod(-1));
    assertRefused(() -> good.withMaxBad(-1));
    assertRefused(() -> good.withPartitions(Partitions.roundRobin(0)));
  }

  private static void assertRefused(Executable executable) {
    assertThrows(IllegalArgumentException.class, executable);
  }
}
