package io.github.pretrain4j.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.pretrain4j.dataset.DatasetMetadata;
import io.github.pretrain4j.dataset.TokenType;
import io.github.pretrain4j.dataset.TokenizerIdentity;
import io.github.pretrain4j.dataset.gpt.DataLedger;
import io.github.pretrain4j.dataset.gpt.GptDatasetConfig;
import io.github.pretrain4j.dataset.gpt.SampleOrigin;
import io.github.pretrain4j.dataset.gpt.TokenizerDescription;
import io.github.pretrain4j.dataset.gpt.TrainingData;
import io.github.pretrain4j.dataset.storage.FileCommit;
import io.github.pretrain4j.dataset.storage.PendingFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Blends, their change on the way, the ledger, and datasets of a foreign tokenizer. */
class TrainDataTest {
  private final Path directory;
  private final String a;
  private final String b;
  private final String c;

  TrainDataTest(@TempDir Path directory) throws IOException {
    this.directory = directory;
    TinyTraining.prepare(directory);
    a = prefix("a", 90, 11);
    b = prefix("b", 70, 12);
    c = prefix("c", 80, 13);
  }

  private String prefix(String name, int documents, long seed) throws IOException {
    Path prefix = directory.resolve(name);
    TinyTraining.writeDocuments(prefix, documents, TinyTraining.VOCABULARY, seed);
    return prefix.toString();
  }

  private Map<String, Object> options(String save, String... dataPath) {
    Map<String, Object> options = TinyTraining.options(directory, directory.resolve(save));
    options.put("data_path", List.of(dataPath));
    return options;
  }

  private static double run(Map<String, Object> options) throws IOException {
    try (Trainer trainer = Trainer.create(TrainConfig.of(options))) {
      return trainer.run().lastLoss();
    }
  }

  private static String refusal(Map<String, Object> options) {
    IllegalArgumentException e = assertThrows(IllegalArgumentException.class, () -> run(options));
    return String.valueOf(e.getMessage());
  }

  private DataLedger ledger(String save) throws IOException {
    return DataLedger.read(directory.resolve(save).resolve("data-ledger.json"));
  }

  @Test
  void aBlendStoppedAndResumedEndsInTheSameFile() throws IOException {
    Map<String, Object> whole = options("whole", "0.3", a, "0.7", b);
    double loss = run(whole);
    Map<String, Object> parts = options("parts", "0.3", a, "0.7", b);
    parts.put("exit_interval", 4);
    run(parts);
    parts.remove("exit_interval");
    assertEquals(loss, run(parts));
    assertArrayEquals(
        Files.readAllBytes(TinyTraining.file(directory.resolve("whole"), 8)),
        Files.readAllBytes(TinyTraining.file(directory.resolve("parts"), 8)));
    assertEquals(ledger("whole"), ledger("parts"));
  }

  @Test
  void theLedgerTellsWhatEachDatasetGave() throws IOException {
    run(options("out", "0.3", a, "0.7", b));
    DataLedger.Position position = Objects.requireNonNull(ledger("out").position());
    assertEquals(8, position.iteration());
    assertEquals(32, position.samples());
    List<Long> consumed = new ArrayList<>();
    position.datasets().forEach(state -> consumed.add(state.consumed()));
    assertEquals(List.of(10L, 22L), consumed);
  }

  @Test
  void anotherBlendIsRefusedUnlessItIsWanted() throws IOException {
    Map<String, Object> first = options("out", "0.3", a, "0.7", b);
    first.put("exit_interval", 4);
    run(first);
    Map<String, Object> second = options("out", "0.5", b, "0.5", c);
    String message = refusal(second);
    assertTrue(message.contains("change_blend"), message);
    assertTrue(message.contains("p4j data plan"), message);
    second.put("change_blend", true);
    run(second);
    DataLedger ledger = ledger("out");
    assertEquals(2, ledger.phases().size());
    assertEquals(16, ledger.lastPhase().firstSample());
  }

  /** Every sample of every dataset is served once, in the dataset's own order, across a change. */
  @Test
  void aChangeOfTheBlendLosesAndRepeatsNothing() throws IOException {
    Map<String, Object> first = options("out", "0.3", a, "0.7", b);
    first.put("exit_interval", 4);
    run(first);
    Map<String, Object> second = options("out", "0.5", b, "0.5", c);
    second.put("change_blend", true);
    second.put("exit_interval", 6);
    run(second);
    second.remove("exit_interval");
    second.remove("change_blend");
    run(second);
    DataLedger ledger = ledger("out");
    assertEquals(2, ledger.phases().size());
    GptDatasetConfig config =
        ledger
            .config()
            .withCache(
                directory.resolve("cache"),
                TokenizerDescription.nullTokenizer(TinyTraining.VOCABULARY));
    Map<Path, Set<Long>> seen = new LinkedHashMap<>();
    Map<Path, Long> counts = new LinkedHashMap<>();
    try (TrainingData data = TrainingData.open(ledger, config)) {
      for (long i = 0; i < 32; i++) {
        SampleOrigin origin = data.origin(i);
        assertTrue(
            seen.computeIfAbsent(origin.prefix(), path -> new HashSet<>())
                .add(origin.unshuffledSample()),
            "sample " + i + " repeats one");
        assertEquals(
            counts.merge(origin.prefix(), 1L, Long::sum) - 1,
            origin.datasetSample(),
            "each dataset in its own order");
      }
    }
    assertEquals(Set.of(Path.of(a), Path.of(b), Path.of(c)), seen.keySet());
  }

  @Test
  void moreIterationsGoOnInTheSameOrder() throws IOException {
    Map<String, Object> options = options("out", a);
    options.put("train_iters", 4);
    options.put("override_opt_param_scheduler", true);
    run(options);
    options.put("train_iters", 6);
    run(options);
    DataLedger.Position position = Objects.requireNonNull(ledger("out").position());
    assertEquals(24, position.samples());
    assertEquals(24, position.datasets().getFirst().consumed());
  }

  @Test
  void eachSplitMayHaveItsOwnBlend() throws IOException {
    Map<String, Object> options = options("out");
    options.put("train_data_path", List.of("1", a, "1", b));
    options.put("valid_data_path", List.of(c));
    options.put("test_data_path", List.of(c));
    double loss = run(options);
    Path file =
        Files.writeString(
            directory.resolve("splits.json"),
            "{\"train\": [\"1\", \"%s\", \"1\", \"%s\"], \"valid\": \"%s\", \"test\": [\"%s\"]}"
                .formatted(a, b, c, c));
    Map<String, Object> fromFile = options("file");
    fromFile.put("per_split_data_args_path", file.toString());
    assertEquals(loss, run(fromFile));
  }

  @Test
  void readsABlendFromAFile() throws IOException {
    Map<String, Object> options = options("out");
    Path file = Files.writeString(directory.resolve("blend.txt"), "0.3 " + a + "\n0.7 " + b + "\n");
    options.put("data_args_path", file.toString());
    assertEquals(run(options("list", "0.3", a, "0.7", b)), run(options));
  }

  @Test
  void cyclicOrderShufflesEachEpochAgainAndResumes() throws IOException {
    Map<String, Object> whole = options("whole", a);
    whole.put("dataloader_type", "cyclic");
    double loss = run(whole);
    assertNotEquals(loss, run(options("single", a)));
    Map<String, Object> parts = options("parts", a);
    parts.put("dataloader_type", "cyclic");
    parts.put("exit_interval", 4);
    run(parts);
    parts.remove("exit_interval");
    assertEquals(loss, run(parts));
  }

  @Test
  void aDatasetOfAForeignTokenizerIsRefusedUnlessItIsAllowed() throws IOException {
    TokenizerIdentity foreign = new TokenizerIdentity("NullTokenizer", "other", null, 50, 49);
    DatasetMetadata metadata =
        new DatasetMetadata(
            "test", foreign, "text", "document", true, TokenType.UINT16, 70, 70, 0, List.of());
    try (PendingFile file = PendingFile.create(DatasetMetadata.file(Path.of(b)))) {
      metadata.write(file);
      file.seal();
      FileCommit.replace(List.of(file));
    }
    Map<String, Object> options = options("out", a, b);
    String message = refusal(options);
    assertTrue(message.contains("b.meta.json"), message);
    assertTrue(message.contains("allow_tokenizer_mismatch"), message);
    options.put("allow_tokenizer_mismatch", true);
    run(options);
  }
}
