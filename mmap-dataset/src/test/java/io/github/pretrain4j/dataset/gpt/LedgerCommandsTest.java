package io.github.pretrain4j.dataset.gpt;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.pretrain4j.dataset.DatasetMetadata;
import io.github.pretrain4j.dataset.TokenType;
import io.github.pretrain4j.dataset.storage.FileCommit;
import io.github.pretrain4j.dataset.storage.PendingFile;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.ServiceLoader;
import java.util.spi.ToolProvider;
import org.jspecify.annotations.NullUnmarked;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code p4j data explain} and {@code plan}. */
@NullUnmarked // JUnit injects what the compiler cannot see
class LedgerCommandsTest {
  @TempDir Path temporary;

  private Path a;
  private Path b;
  private Path ledger;

  @BeforeEach
  void writeLedger() throws IOException {
    a = Corpora.a(temporary);
    b = Corpora.b(temporary);
    ledger = temporary.resolve("ledger.json");
    Blend blend = Blend.parse(List.of("30", a.toString(), "70", b.toString()));
    GptDatasetConfig config = GptDatasetConfig.of(1234, 8, "80,10,10");
    DataLedger run = DataLedger.start(config, blend, 30, BatchSchedule.constant(3));
    try (TrainingData data = TrainingData.open(run, config)) {
      Files.writeString(ledger, run.at(data.position(4)).json());
    }
  }

  private static String run(int expected, String... arguments) {
    StringWriter out = new StringWriter();
    StringWriter err = new StringWriter();
    ToolProvider tool =
        ServiceLoader.load(ToolProvider.class).stream()
            .map(ServiceLoader.Provider::get)
            .filter(each -> each.name().equals("p4j-data"))
            .findFirst()
            .orElseThrow();
    int code = tool.run(new PrintWriter(out), new PrintWriter(err), arguments);
    assertEquals(expected, code, err.toString());
    return out + err.toString();
  }

  /** The blend's order is that of the golden vectors: dataset 1 0 1, samples 0 0 1. */
  @Test
  void explainNamesTheDocumentsOfAnIteration() throws IOException {
    String sources = "0000000000000000000000000000000000000000000000000000000000000000";
    DatasetMetadata metadata =
        new DatasetMetadata(
            "test",
            null,
            "text",
            "document",
            false,
            TokenType.UINT16,
            15,
            15,
            117,
            List.of(
                new DatasetMetadata.Source("first.jsonl", 10, sources, 7),
                new DatasetMetadata.Source("second.jsonl", 10, sources, 8)));
    try (PendingFile file = PendingFile.create(DatasetMetadata.file(b))) {
      metadata.write(file);
      file.seal();
      FileCommit.replace(List.of(file));
    }
    String text = run(0, "explain", "--ledger", ledger.toString(), "--iteration", "1");
    List<String> lines = text.lines().toList();
    assertEquals("iteration 1: samples 0 to 2", lines.get(0));
    assertEquals("sample 0: " + b + ", sample 0", lines.get(1));
    assertTrue(text.contains("sample 1: " + a + ", sample 0"), text);
    assertTrue(text.contains("sample 2: " + b + ", sample 1"), text);
    assertTrue(lines.get(2).matches("  document \\d+ .*, from (first|second)\\.jsonl"), text);
    String json = run(0, "explain", "--ledger", ledger.toString(), "--iteration", "10", "--jsonl");
    assertEquals(3, json.lines().count());
    assertTrue(
        json.lines().allMatch(line -> line.startsWith("{\"iteration\":10,\"sample\":2")), json);
    String error = run(2, "explain", "--ledger", ledger.toString(), "--iteration", "11");
    assertTrue(error.contains("the run has 30"), error);
    run(1, "explain", "--ledger", temporary.resolve("none").toString(), "--iteration", "1");
  }

  @Test
  void planShowsBothWays() {
    String text =
        run(
            0,
            "plan",
            "--ledger",
            ledger.toString(),
            "--new-blend",
            "90 " + a + " 10 " + b,
            "--train-samples",
            "40");
    List<String> lines = text.lines().toList();
    assertEquals("after iteration 4: 12 samples consumed, 28 to come", lines.get(0));
    assertTrue(lines.get(4).strip().startsWith("4 ") || lines.get(4).contains(" 4 "), text);
    assertTrue(lines.get(4).endsWith(a.toString()), text);
    assertTrue(lines.get(5).endsWith(b.toString()), text);
    assertEquals(11, lines.size(), text);
    String dropped =
        run(
            0,
            "plan",
            "--ledger",
            ledger.toString(),
            "--new-blend",
            a.toString(),
            "--at-iteration",
            "5");
    assertTrue(dropped.lines().toList().get(5).endsWith(b.toString()), dropped);
    assertTrue(run(2, "plan", "--ledger", ledger.toString(), "--new-blend", "0 x").contains("x"));
  }
}
