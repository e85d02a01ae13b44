package io.github.pretrain4j.dataset.preprocess;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.pretrain4j.dataset.Damage;
import io.github.pretrain4j.dataset.TokenizerIdentity;
import io.github.pretrain4j.dataset.storage.FileCommit;
import java.io.IOException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.jspecify.annotations.NullUnmarked;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What a run finds of an earlier one: it goes on to the same bytes, or says why it does not. */
@NullUnmarked // JUnit injects, and assertions check, what the compiler cannot see
class ResumeTest {
  private static final long SEED = Long.getLong("test.seed", 11);

  /** Of each of two inputs; more than two blocks of the reader. */
  private static final int LINES = 600;

  /** Of each input, counted from 1: in its first block and in its last. */
  private static final List<Integer> BAD = List.of(3, 590);

  @TempDir Path temporary;
  private int folders;

  @BeforeEach
  void writeInputs() throws IOException {
    for (int input = 0; input < 2; input++) {
      Files.writeString(input(input), lines(input, BAD));
    }
  }

  private Path input(int index) {
    return temporary.resolve("in" + index + ".jsonl");
  }

  private static String lines(int input, List<Integer> bad) {
    Random random = new Random(SEED + input);
    StringBuilder content = new StringBuilder();
    for (int line = 1; line <= LINES; line++) {
      String text = random.nextInt(900) + " " + random.nextInt(900);
      content.append("{\"pad\": \"").append("x".repeat(1000)).append("\", \"title\": \"");
      content.append(random.nextInt(900)).append("\", \"text\": ");
      content.append(bad.contains(line) ? "7" : "[\"" + text + "\", \"5\"]").append("}\n");
    }
    return content.toString();
  }

  private Path newPrefix() throws IOException {
    return Files.createDirectory(temporary.resolve("folder" + folders++)).resolve("x");
  }

  private Preprocessor.Config config(Path prefix) {
    return Preprocessor.Config.of(List.of(input(0).toString(), input(1).toString()), prefix, 1000)
        .withJsonKeys(List.of("text", "title"))
        .withEod(999)
        .withBadLines(BadLinePolicy.QUARANTINE)
        .withWorkers(2);
  }

  private static Preprocessor.Report run(Preprocessor.Config config) throws IOException {
    return Preprocessor.run(config, NullEncoder::new, Preprocessor.ProgressListener.NONE);
  }

  private Map<String, String> uninterrupted(Preprocessor.Config config) throws IOException {
    Path prefix = newPrefix();
    run(config.withOutputPrefix(prefix));
    return files(prefix);
  }

  private static Map<String, String> files(Path prefix) throws IOException {
    return KillCommand.hashes(prefix.resolveSibling("."));
  }

  /** A run that a listener ends when this many blocks are written; the first has its record. */
  private static Path stopped(Preprocessor.Config config, int blocks) {
    int[] left = {blocks};
    IllegalStateException e =
        assertThrows(
            IllegalStateException.class,
            () ->
                Preprocessor.run(
                    config,
                    NullEncoder::new,
                    (documents, bytes, total) -> {
                      if (left[0]-- == 0) {
                        throw new IllegalStateException("stopped");
                      }
                    },
                    FileCommit.StepListener.NONE,
                    0));
    assertEquals("stopped", e.getMessage());
    assertTrue(Files.exists(config.journalFile()));
    return config.outputPrefix();
  }

  /** A run that bad lines ended: its record tells of the first block of the second input. */
  private Path stoppedInTheSecondInput() throws IOException {
    Path prefix = newPrefix();
    TooManyBadLinesException e =
        assertThrows(TooManyBadLinesException.class, () -> run(config(prefix).withMaxBad(2)));
    assertEquals(3, e.rejected());
    return prefix;
  }

  /** A run that ends with all files complete and this many of its last steps not done. */
  private static Path sealed(Preprocessor.Config config, int steps) {
    int[] left = {steps};
    assertThrows(
        IOException.class,
        () ->
            Preprocessor.run(
                config,
                NullEncoder::new,
                Preprocessor.ProgressListener.NONE,
                step -> {
                  if (left[0]-- == 0) {
                    throw new IOException("stopped");
                  }
                },
                0));
    assertTrue(Files.exists(config.journalFile()));
    return config.outputPrefix();
  }

  private Path copy(Path prefix) throws IOException {
    Path copy = newPrefix();
    try (Stream<Path> files = Files.list(prefix.resolveSibling("."))) {
      for (Path file : files.toList()) {
        Files.copy(file, copy.resolveSibling(file.getFileName()));
      }
    }
    return copy;
  }

  /** Goes on; if that is refused, as it may be, begins anew. Returns whether it was refused. */
  private boolean endsWith(Map<String, String> expected, Path prefix, String what)
      throws IOException {
    boolean refused = false;
    try {
      run(config(prefix));
    } catch (UnresumableException e) {
      refused = true;
      assertTrue(e.getMessage().contains("--restart"), e.getMessage());
      assertFalse(e.file().toString().isEmpty());
      run(config(prefix).withRestart());
    }
    assertEquals(expected, files(prefix), what);
    return refused;
  }

  @ParameterizedTest
  @ValueSource(strings = {"none", "in turn", "sequential"})
  void anotherNumberOfWorkersGoesOnToTheSameBytes(String partitions) throws IOException {
    for (int blocks = 1; blocks < 5; blocks++) {
      Preprocessor.Config config =
          config(newPrefix())
              .withPartitions(
                  partitions.equals("none")
                      ? Partitions.NONE
                      : new Partitions(2, partitions.equals("sequential")));
      Map<String, String> expected = uninterrupted(config);
      Path prefix = stopped(config, blocks);
      run(config.withWorkers(4));
      assertEquals(expected, files(prefix), blocks + " blocks");
    }
  }

  @ParameterizedTest
  @EnumSource(Damage.class)
  void aDamagedJournalNeverMakesWrongBytes(Damage damage) throws IOException {
    Random random = new Random(SEED);
    Map<String, String> expected = uninterrupted(config(temporary));
    List<Path> states = List.of(stopped(config(newPrefix()), 3), sealed(config(newPrefix()), 6));
    for (Path state : states) {
      for (int i = 0; i < 6; i++) {
        Path prefix = copy(state);
        Path journal = config(prefix).journalFile();
        Files.write(journal, damage.apply(Files.readAllBytes(journal), random));
        endsWith(expected, prefix, damage + " " + i + ", -Dtest.seed=" + SEED);
      }
    }
  }

  @Test
  void aFlippedBitOfTheJournalNeverMakesWrongBytes() throws IOException {
    Random random = new Random(SEED);
    Map<String, String> expected = uninterrupted(config(temporary));
    List<Path> states = List.of(stopped(config(newPrefix()), 3), sealed(config(newPrefix()), 6));
    int refused = 0;
    int flips = 40;
    for (Path state : states) {
      for (int i = 0; i < flips; i++) {
        Path prefix = copy(state);
        Path journal = config(prefix).journalFile();
        byte[] bytes = Files.readAllBytes(journal);
        int bit = i < 20 ? 8 * i + random.nextInt(8) : random.nextInt(8 * bytes.length);
        bytes[bit / 8] ^= (byte) (1 << (bit % 8));
        Files.write(journal, bytes);
        refused += endsWith(expected, prefix, "bit " + bit + ", -Dtest.seed=" + SEED) ? 1 : 0;
      }
    }
    assertTrue(refused >= 40, refused + " refused"); // without a first record at the least
  }

  @Test
  void aPartialFileThatIsDamagedOrGoneIsNamed() throws IOException {
    Random random = new Random(SEED);
    Map<String, String> expected = uninterrupted(config(temporary));
    Path state = stopped(config(newPrefix()), 3);
    int checked = 0;
    for (String name : files(state).keySet()) {
      if (!name.endsWith(".partial")) {
        continue;
      }
      Path gone = copy(state);
      Path partial = gone.resolveSibling(name);
      Files.delete(partial);
      Map<String, String> before = files(gone);
      UnresumableException e =
          assertThrows(UnresumableException.class, () -> run(config(gone)), name);
      assertEquals(partial, e.file());
      assertTrue(e.getMessage().contains(partial + ": "), e.getMessage());
      assertTrue(e.getMessage().contains("found no file"), e.getMessage());
      assertEquals(before.keySet(), files(gone).keySet());
      run(config(gone).withRestart());
      assertEquals(expected, files(gone));
      for (Damage damage : Damage.values()) {
        Path damaged = copy(state);
        Path file = damaged.resolveSibling(name);
        if (Files.size(file) == 0 && damage == Damage.CUT) {
          continue;
        }
        Files.write(file, damage.apply(Files.readAllBytes(file), random));
        endsWith(expected, damaged, damage + " " + name);
      }
      checked++;
    }
    assertEquals(10, checked);
  }

  @Test
  void aJournalThatIsGoneIsNotABeginning() throws IOException {
    Map<String, String> expected = uninterrupted(config(temporary));
    Path prefix = stopped(config(newPrefix()), 3);
    Files.delete(config(prefix).journalFile());
    UnresumableException e = assertThrows(UnresumableException.class, () -> run(config(prefix)));
    assertEquals(config(prefix).journalFile(), e.file());
    assertTrue(e.expected().contains(".partial"), e.getMessage());
    run(config(prefix).withRestart());
    assertEquals(expected, files(prefix));
  }

  @Test
  void aRunOfOtherSettingsIsRefusedAndChangesNothing() throws IOException {
    Path state = stoppedInTheSecondInput();
    Preprocessor.Config same = config(temporary);
    Map<String, Preprocessor.Config> others = new LinkedHashMap<>();
    others.put("JSON keys", same.withJsonKeys(List.of("title", "text")));
    others.put("end-of-document id", same.withEod(998));
    others.put(
        "vocabulary size",
        Preprocessor.Config.of(same.inputs(), temporary, 2000)
            .withJsonKeys(same.jsonKeys())
            .withEod(999)
            .withWorkers(2)
            .withBadLines(BadLinePolicy.QUARANTINE));
    others.put(
        "tokenizer",
        same.withTokenizer(
            new TokenizerIdentity("Other", "other.model", "ab".repeat(32), 1000, 999)));
    others.put("partitions", same.withPartitions(Partitions.roundRobin(2)));
    others.put("sentences", same.withSentences("whole texts", List::of));
    others.put("settings of the encoder", same.withEncoderSettings("bos before each text"));
    others.put(
        "what becomes of bad lines, of which there were 3", same.withBadLines(BadLinePolicy.SKIP));
    for (Map.Entry<String, Preprocessor.Config> other : others.entrySet()) {
      Path prefix = copy(state);
      Preprocessor.Config config = other.getValue().withOutputPrefix(prefix);
      Map<String, String> before = files(prefix);
      UnresumableException e = assertThrows(UnresumableException.class, () -> run(config));
      assertEquals(other.getKey(), e.what());
      assertTrue(e.getMessage().contains("--restart"), e.getMessage());
      assertEquals(before, files(prefix), other.getKey());
      run(config.withRestart());
      assertEquals(uninterrupted(config), files(prefix), other.getKey());
    }
  }

  /** As lists, the keys are told apart even where their text is the same. */
  @Test
  void keysWithCommasAreNotTakenForOthers() throws IOException {
    Path prefix = newPrefix();
    Preprocessor.Config config = config(prefix).withJsonKeys(List.of("text, title")).withMaxBad(1);
    assertThrows(TooManyBadLinesException.class, () -> run(config));
    UnresumableException e =
        assertThrows(
            UnresumableException.class,
            () -> run(config.withJsonKeys(List.of("text", "title")).withMaxBad(10)));
    assertEquals("the names of the files", e.what());
  }

  @Test
  void anInputThatChangedWhereItWasReadIsNamed() throws IOException {
    Path state = stoppedInTheSecondInput();
    for (int index = 0; index < 2; index++) {
      byte[] content = Files.readAllBytes(input(index));
      byte[] changed = content.clone();
      changed[20] = 'y'; // of the pad: the same ids
      Files.write(input(index), changed);
      Path prefix = copy(state);
      UnresumableException e = assertThrows(UnresumableException.class, () -> run(config(prefix)));
      assertEquals(input(index), e.file());
      assertTrue(e.getMessage().contains("SHA-256"), e.getMessage());
      run(config(prefix).withRestart());
      assertEquals(uninterrupted(config(prefix)), files(prefix));
      Files.write(input(index), content);
    }
    Path prefix = copy(state);
    Preprocessor.Config turned =
        config(prefix).withInputs(List.of(input(1).toString(), input(0).toString()));
    UnresumableException e = assertThrows(UnresumableException.class, () -> run(turned));
    assertEquals("input 1", e.what());
    run(turned.withRestart());
    assertEquals(uninterrupted(turned), files(prefix));
  }

  @Test
  void anInputThatGrewBehindWhatWasReadIsReadToItsNewEnd() throws IOException {
    Path prefix = stopped(config(newPrefix()), 1);
    Files.writeString(input(1), "{\"title\": \"1\", \"text\": \"2\"}\n", StandardOpenOption.APPEND);
    run(config(prefix));
    assertEquals(uninterrupted(config(prefix)), files(prefix));
  }

  @Test
  void aSecondRunAtOnceIsRefusedAndHarmsNothing() throws IOException {
    Map<String, String> expected = uninterrupted(config(temporary));
    Path prefix = newPrefix();
    List<String> messages = new ArrayList<>();
    Preprocessor.run(
        config(prefix),
        NullEncoder::new,
        (documents, bytes, total) ->
            messages.add(
                assertThrows(FileSystemException.class, () -> run(config(prefix).withRestart()))
                    .getMessage()));
    assertFalse(messages.isEmpty());
    for (String message : messages) {
      assertEquals(prefix + ".journal: another run is writing to this output prefix", message);
    }
    assertEquals(expected, files(prefix));
  }

  @Test
  void aSecondProcessAtOnceIsRefusedAndHarmsNothing() throws IOException {
    Map<String, String> expected = uninterrupted(config(temporary));
    Path prefix = newPrefix();
    Path log = temporary.resolve("child.log");
    int[] exits = {0, 0};
    Preprocessor.run(
        config(prefix),
        NullEncoder::new,
        (documents, bytes, total) -> {
          if (exits[1]++ == 0) {
            exits[0] = exitOfAnother(prefix, log);
          }
        });
    assertEquals(1, exits[0]);
    String said = Files.readString(log);
    assertTrue(said.contains("x.journal: another run is writing to this output prefix"), said);
    assertEquals(expected, files(prefix));
  }

  private int exitOfAnother(Path prefix, Path log) {
    try {
      return new ProcessBuilder(
              Path.of(System.getProperty("java.home"), "bin", "java").toString(),
              "-Xmx128m",
              "-XX:TieredStopAtLevel=1",
              "-cp",
              System.getProperty("java.class.path"),
              KillCommand.class.getName(),
              "child",
              temporary.toString(),
              "0",
              prefix.toString(),
              "-1")
          .redirectErrorStream(true)
          .redirectOutput(log.toFile())
          .start()
          .waitFor();
    } catch (IOException | InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  @Test
  void aFullDiskKeepsWhatWasDone() throws IOException {
    Path full = Path.of("/dev/full");
    if (!Files.exists(full)) {
      return;
    }
    Files.writeString(input(0), lines(0, List.of()));
    Map<String, String> expected = uninterrupted(config(temporary));
    Path prefix = stopped(config(newPrefix()), 1);
    Path partial = prefix.resolveSibling("x_rejected.jsonl.partial");
    assertEquals(0, Files.size(partial));
    Files.delete(partial);
    Files.createSymbolicLink(partial, full);
    FileSystemException e = assertThrows(FileSystemException.class, () -> run(config(prefix)));
    assertTrue(e.getMessage().contains("x_rejected.jsonl: cannot write"), e.getMessage());
    assertTrue(Files.exists(config(prefix).journalFile()));
    Files.delete(partial);
    Files.createFile(partial);
    run(config(prefix));
    assertEquals(expected, files(prefix));
  }
}
