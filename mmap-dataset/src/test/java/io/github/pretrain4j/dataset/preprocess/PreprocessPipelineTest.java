package io.github.pretrain4j.dataset.preprocess;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.common.hash.Hashing;
import io.github.pretrain4j.dataset.TokenType;
import io.github.pretrain4j.dataset.sentences.SentenceSplitter;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.stream.LongStream;
import java.util.zip.GZIPOutputStream;
import org.jspecify.annotations.NullUnmarked;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Blocks in order, with their places, digests and bad lines, whatever the number of workers. */
@NullUnmarked // JUnit injects, and assertions check, what the compiler cannot see
class PreprocessPipelineTest {
  @TempDir Path temporary;

  static LongStream seeds() {
    Long replay = Long.getLong("test.seed");
    return replay == null ? LongStream.range(0, 6) : LongStream.of(replay);
  }

  @AfterEach
  void noThreadIsLeft() {
    assertTrue(
        Thread.getAllStackTraces().keySet().stream()
            .noneMatch(thread -> thread.getName().startsWith("p4j-preprocess")));
  }

  private static EncodeOptions options(SentenceSplitter splitter, boolean failFast) {
    return new EncodeOptions(List.of("text"), true, 999, TokenType.UINT16, splitter, failFast);
  }

  private static PreprocessPipeline start(InputList inputs, int workers, InputPosition from) {
    return PreprocessPipeline.start(inputs, options(null, false), NullEncoder::new, workers, from);
  }

  /** Lines of a megabyte or so, some of them bad; what is bad goes to {@code bad}. */
  private Path corpus(String name, Random random, List<RejectedLine> bad) throws IOException {
    StringBuilder content = new StringBuilder();
    Path file = temporary.resolve(name);
    int count = 10_000 + random.nextInt(5000);
    for (int i = 1; i <= count; i++) {
      String line = "{\"text\": \"" + "12 345 ".repeat(random.nextInt(20)) + i % 1000 + "\"}";
      if (random.nextInt(300) == 0) {
        line = random.nextBoolean() ? "{\"other\": \"" + i + "\"}" : " ";
        bad.add(
            new RejectedLine(
                file,
                i,
                content.length(),
                line.equals(" ") ? "a JSON object" : "the key \"text\"",
                line.equals(" ") ? "a blank line" : "only other",
                line.getBytes(StandardCharsets.UTF_8)));
      }
      content.append(line).append(random.nextBoolean() ? "\n" : "\r\n");
    }
    byte[] bytes = content.toString().getBytes(StandardCharsets.UTF_8);
    try (OutputStream out =
        name.endsWith(".gz")
            ? new GZIPOutputStream(Files.newOutputStream(file))
            : Files.newOutputStream(file)) {
      out.write(bytes);
    }
    return file;
  }

  private static String tokens(EncodedBlock block) {
    EncodedBlock.Column column = block.column(0);
    return HexFormat.of().formatHex(column.sink.bytes(), 0, column.sink.byteCount());
  }

  private static String describe(RejectedLine line) {
    return line.toException().getMessage() + new String(line.bytes(), StandardCharsets.UTF_8);
  }

  @ParameterizedTest(name = "-Dtest.seed={0}")
  @MethodSource("seeds")
  void knowsPlacesDigestsAndBadLines(long seed) throws IOException {
    Random random = new Random(seed);
    List<RejectedLine> bad = new ArrayList<>();
    InputList inputs =
        InputList.of(List.of(corpus("a.jsonl", random, bad), corpus("b.jsonl.gz", random, bad)));
    List<InputPosition> ends = new ArrayList<>();
    List<String> prefixes = new ArrayList<>();
    List<String> tokensAfter = new ArrayList<>();
    for (int workers : new int[] {1, 3}) {
      List<RejectedLine> rejected = new ArrayList<>();
      List<InputDigest> digests = new ArrayList<>();
      ends.clear();
      tokensAfter.clear();
      try (PreprocessPipeline pipeline = start(inputs, workers, InputPosition.START)) {
        for (EncodedBlock block = pipeline.next(); block != null; block = pipeline.next()) {
          ends.add(block.end());
          prefixes.add(HexFormat.of().formatHex(block.prefixSha256()));
          tokensAfter.add(tokens(block));
          rejected.addAll(block.rejected());
          block.finishedInput().ifPresent(digests::add);
        }
      }
      assertEquals(
          bad.stream().map(PreprocessPipelineTest::describe).toList(),
          rejected.stream().map(PreprocessPipelineTest::describe).toList());
      assertEquals(2, digests.size());
      for (int i = 0; i < 2; i++) {
        byte[] bytes = Files.readAllBytes(inputs.file(i));
        String sha256 = Hashing.sha256().hashBytes(bytes).toString();
        assertEquals(new InputDigest(inputs.file(i), bytes.length, sha256), digests.get(i));
      }
    }
    goesOnFromAnyBlock(inputs, ends, prefixes, tokensAfter, random);
  }

  private static void goesOnFromAnyBlock(
      InputList inputs,
      List<InputPosition> ends,
      List<String> prefixes,
      List<String> tokens,
      Random random)
      throws IOException {
    int at = random.nextInt(ends.size());
    int next = at + 1;
    try (PreprocessPipeline pipeline = start(inputs, 2, ends.get(at))) {
      EncodedBlock block = pipeline.next();
      if (block.inputBytes() == 0) { // the input ended there
        assertEquals(ends.get(at), block.end());
        assertEquals(prefixes.get(at), HexFormat.of().formatHex(block.prefixSha256()));
        assertTrue(block.finishedInput().isPresent());
        block = pipeline.next();
      }
      StringBuilder found = new StringBuilder();
      InputPosition end = ends.get(at);
      for (; block != null; block = pipeline.next()) {
        found.append(tokens(block));
        end = block.end();
      }
      assertEquals(String.join("", tokens.subList(next, tokens.size())), found.toString());
      assertEquals(ends.get(ends.size() - 1), end);
    }
  }

  @Test
  void aBadLineLeavesNothingInAnyKey() throws IOException {
    Path file =
        Files.writeString(
            temporary.resolve("in.jsonl"),
            "{\"a\": [\"1 2\", \"3\"], \"b\": \"x\"}\n{\"a\": \"4\", \"b\": \"5\"}\n");
    EncodeOptions options =
        new EncodeOptions(List.of("a", "b"), false, 0, TokenType.UINT16, null, false);
    try (PreprocessPipeline pipeline =
        PreprocessPipeline.start(
            InputList.of(List.of(file)), options, NullEncoder::new, 1, InputPosition.START)) {
      EncodedBlock block = pipeline.next();
      assertEquals(1, block.documentCount());
      assertEquals(1, block.rejected().size());
      assertEquals(1, block.sequenceCount(0, 0));
      assertEquals(2, block.tokenBytes(0, 0));
      assertEquals("0400", tokens(block));
      assertEquals(2, block.lineCount());
    }
  }

  /** Each sentence is a sequence; a sentence without tokens is none. */
  @Test
  void textsBecomeSentences() throws IOException {
    Path file =
        Files.writeString(
            temporary.resolve("in.jsonl"), "{\"text\": [\"1 2.3..\", \"4\"]}\n{\"text\": \"\"}\n");
    SentenceSplitter splitter = text -> List.of(text.split("\\.", -1));
    try (PreprocessPipeline pipeline =
        PreprocessPipeline.start(
            InputList.of(List.of(file)),
            options(splitter, true),
            NullEncoder::new,
            1,
            InputPosition.START)) {
      EncodedBlock block = pipeline.next();
      assertEquals(2, block.documentCount());
      assertEquals(3, block.sequenceCount(0, 0));
      assertEquals(0, block.sequenceCount(0, 1));
      assertEquals("0100020003000400e703", tokens(block));
    }
  }

  /** As Megatron does, before it looks for sentences; characters are code points. */
  @Test
  void textsOfAMillionCharactersAreCutFirst() throws IOException {
    String text = "\ud83d\ude00".repeat(1_000_000) + "a";
    Path file = Files.writeString(temporary.resolve("in.jsonl"), "{\"text\": \"" + text + "\"}\n");
    List<Integer> lengths = new ArrayList<>();
    SentenceSplitter splitter =
        piece -> {
          lengths.add(piece.codePointCount(0, piece.length()));
          return List.of();
        };
    try (PreprocessPipeline pipeline =
        PreprocessPipeline.start(
            InputList.of(List.of(file)),
            options(splitter, true),
            NullEncoder::new,
            1,
            InputPosition.START)) {
      assertEquals(1, pipeline.next().documentCount());
    }
    assertEquals(List.of(1_000_000, 1), lengths);
  }

  @Test
  void aPipelineThatIsClosedEarlyLeavesNoThread() throws IOException {
    Path file = Files.writeString(temporary.resolve("in"), "{\"text\": \"1\"}\n".repeat(300_000));
    try (PreprocessPipeline pipeline = start(InputList.of(List.of(file)), 3, InputPosition.START)) {
      assertTrue(pipeline.next().documentCount() > 0);
    }
  }

  @Test
  void afterAFailureThereIsNoNext() throws IOException {
    Path file = Files.writeString(temporary.resolve("in"), "x");
    try (PreprocessPipeline pipeline =
        PreprocessPipeline.start(
            InputList.of(List.of(file)),
            options(null, true),
            NullEncoder::new,
            1,
            InputPosition.START)) {
      assertThrows(MalformedLineException.class, pipeline::next);
      assertThrows(IllegalStateException.class, pipeline::next);
    }
  }
}
