package io.github.pretrain4j.dataset.preprocess;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.jspecify.annotations.NullUnmarked;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Lines that are left out: what is said of them, and what becomes of the others. */
@NullUnmarked // JUnit injects, and assertions check, what the compiler cannot see
class BadLinesTest {
  @TempDir Path temporary;
  private int folders;

  private Path newPrefix() throws IOException {
    return Files.createDirectory(temporary.resolve("folder" + folders++)).resolve("x");
  }

  private Preprocessor.Config config(Path prefix, BadLinePolicy policy) {
    return Preprocessor.Config.of(List.of(input().toString()), prefix, 1000)
        .withBadLines(policy)
        .withWorkers(2);
  }

  private Path input() {
    return temporary.resolve("in.jsonl");
  }

  private static Preprocessor.Report run(Preprocessor.Config config) throws IOException {
    return Preprocessor.run(config, NullEncoder::new, Preprocessor.ProgressListener.NONE);
  }

  private static Map<String, String> files(Path prefix) throws IOException {
    return KillCommand.hashes(prefix.resolveSibling("."));
  }

  @Test
  void theReportNamesFileLineByteAndReasonAndTheQuarantineKeepsTheLines() throws IOException {
    byte[] content =
        """
        {"text": "1"}
        {"title": "1"}
        {"text": "2"}\r
        \t
        {"text": "3 x"}
        {"text": ?}"""
            .getBytes(StandardCharsets.UTF_8);
    content[content.length - 2] = (byte) 0xff;
    Files.write(input(), content);
    Path prefix = newPrefix();
    Preprocessor.Report report = run(config(prefix, BadLinePolicy.QUARANTINE));
    assertEquals(4, report.rejected());
    assertEquals(2, report.documents());
    String file = "{\"file\":\"" + input() + "\",\"line\":";
    assertEquals(
        file
            + "2,\"byte_offset\":14,\"expected\":\"the key \\\"text\\\"\","
            + "\"found\":\"only title\"}\n"
            + file
            + "4,\"byte_offset\":44,\"expected\":\"a JSON object\",\"found\":\"a blank line\"}\n"
            + file
            + "5,\"byte_offset\":46,\"expected\":\"a text the tokenizer can encode\","
            + "\"found\":\"For input string: \\\"x\\\"\"}\n"
            + file
            + "6,\"byte_offset\":71,\"expected\":\"UTF-8\",\"found\":\"the byte 0xff\"}\n",
        Files.readString(prefix.resolveSibling("x_rejected.jsonl")));
    assertEquals(
        "{\"title\": \"1\"}\n\t\n{\"text\": \"3 x\"}\n{\"text\": \u00ff}\n",
        Files.readString(prefix.resolveSibling("x_quarantine.jsonl"), StandardCharsets.ISO_8859_1));
    Path skipped = newPrefix();
    run(config(skipped, BadLinePolicy.SKIP));
    Map<String, String> expected = files(prefix);
    expected.remove("x_quarantine.jsonl");
    assertEquals(expected, files(skipped));
  }

  private void writeManyLines(int bad) throws IOException {
    Random random = new Random(Long.getLong("test.seed", 5));
    List<String> lines = new ArrayList<>();
    for (int i = 0; i < 1000; i++) {
      boolean good = i % (1000 / bad) != 1;
      String text = good ? "\"" + random.nextInt(900) + " 1\"" : "null";
      lines.add("{\"pad\": \"" + "x".repeat(1000) + "\", \"text\": " + text + "}");
    }
    Files.write(input(), lines);
  }

  @ParameterizedTest
  @EnumSource(names = {"SKIP", "QUARANTINE"})
  void theNumberOfWorkersChangesNothing(BadLinePolicy policy) throws IOException {
    writeManyLines(100);
    Path one = newPrefix();
    assertEquals(100, run(config(one, policy).withWorkers(1)).rejected());
    for (int workers : new int[] {2, 3, 8}) {
      Path prefix = newPrefix();
      assertEquals(900, run(config(prefix, policy).withWorkers(workers)).documents());
      assertEquals(files(one), files(prefix), workers + " workers");
    }
  }

  /** The datasets are those of an input without the bad lines, but for the sidecar's sources. */
  @Test
  void theOtherLinesAreAsIfTheBadOnesWereNotThere() throws IOException {
    writeManyLines(100);
    Path prefix = newPrefix();
    run(config(prefix, BadLinePolicy.SKIP));
    List<String> good =
        Files.readAllLines(input()).stream().filter(line -> !line.contains("null")).toList();
    Files.write(input(), good);
    Path clean = newPrefix();
    run(config(clean, BadLinePolicy.FAIL));
    for (String name : List.of("x_text_document.bin", "x_text_document.idx")) {
      assertEquals(files(clean).get(name), files(prefix).get(name), name);
    }
  }

  @Test
  void moreBadLinesThanAllowedEndTheRunAndAHigherLimitGoesOn() throws IOException {
    writeManyLines(10);
    Path whole = newPrefix();
    run(config(whole, BadLinePolicy.QUARANTINE).withMaxBad(10));
    Path prefix = newPrefix();
    Preprocessor.Config config = config(prefix, BadLinePolicy.QUARANTINE);
    for (int attempt = 0; attempt < 2; attempt++) {
      TooManyBadLinesException e =
          assertThrows(TooManyBadLinesException.class, () -> run(config.withMaxBad(4)));
      assertEquals(4, e.maxBad());
      assertTrue(e.rejected() > 4 && e.rejected() < 10, e.getMessage());
      assertEquals(e.rejected(), Files.readAllLines(e.report()).size());
      assertTrue(Files.exists(config.journalFile()));
      assertFalse(Files.exists(prefix.resolveSibling("x_text_document.idx")));
    }
    assertThrows(TooManyBadLinesException.class, () -> run(config.withMaxBad(9)));
    run(config.withMaxBad(10));
    assertEquals(files(whole), files(prefix));
  }

  @Test
  void noBadLineIsAnEmptyReport() throws IOException {
    Files.writeString(input(), "{\"text\": \"1\"}\n");
    Path prefix = newPrefix();
    assertEquals(0, run(config(prefix, BadLinePolicy.QUARANTINE).withMaxBad(0)).rejected());
    assertEquals(0, Files.size(prefix.resolveSibling("x_rejected.jsonl")));
    assertEquals(0, Files.size(prefix.resolveSibling("x_quarantine.jsonl")));
  }
}
