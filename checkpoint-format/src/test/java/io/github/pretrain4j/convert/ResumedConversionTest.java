package io.github.pretrain4j.convert;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.pretrain4j.checkpoint.huggingface.WeightFormat;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a killed run leaves, and what the next one makes of it. */
final class ResumedConversionTest {
  private final Path directory;
  private final Path output;
  private final Path partial;
  private final ConversionConfig config;

  ResumedConversionTest(@TempDir Path directory) {
    this.directory = directory;
    this.output = directory.resolve("out");
    this.partial = directory.resolve(".out.partial");
    this.config =
        ConversionConfig.of(GoldenModels.llama(), output, ConversionTarget.Megatron.of(2, 2));
  }

  private static void copyTree(Path from, Path to) throws IOException {
    List<Path> paths;
    try (Stream<Path> tree = Files.walk(from)) {
      paths = tree.toList();
    }
    for (Path path : paths) {
      Files.copy(path, to.resolve(from.relativize(path).toString()));
    }
  }

  private static Map<String, Integer> contents(Path root) throws IOException {
    Map<String, Integer> contents = new TreeMap<>();
    List<Path> files;
    try (Stream<Path> tree = Files.walk(root)) {
      files = tree.filter(Files::isRegularFile).toList();
    }
    for (Path file : files) {
      contents.put(
          root.relativize(file).toString(), java.util.Arrays.hashCode(Files.readAllBytes(file)));
    }
    return contents;
  }

  /** Leaves the sibling as it was at the beginning of the comparison. */
  @BeforeEach
  void kill() throws IOException {
    Path snapshot = directory.resolve("snapshot");
    assertThrows(
        IllegalStateException.class,
        () ->
            Conversion.run(
                config,
                (phase, done, total) -> {
                  if (phase == ConversionListener.Phase.VERIFY) {
                    try {
                      copyTree(partial, snapshot);
                    } catch (IOException e) {
                      throw new UncheckedIOException(e);
                    }
                    throw new IllegalStateException("killed");
                  }
                }));
    assertFalse(Files.exists(partial));
    Files.move(snapshot, partial);
  }

  /** Runs, and returns how many bytes were there when writing was first heard of. */
  private long firstBytes(ConversionConfig run) throws IOException {
    List<Long> written = new ArrayList<>();
    ConversionReport report =
        Conversion.run(
            run,
            (phase, done, total) -> {
              if (phase == ConversionListener.Phase.WRITE) {
                written.add(done == total ? -1 : done);
              }
            });
    assertTrue(report.roundTrips());
    assertFalse(Files.exists(partial));
    return written.get(0);
  }

  @Test
  void goesOnWhereItWas() throws IOException {
    assertEquals(-1, firstBytes(config), "everything was there");
    Path whole = directory.resolve("whole");
    Conversion.run(
        ConversionConfig.of(GoldenModels.llama(), whole, ConversionTarget.Megatron.of(2, 2)),
        ConversionListener.NONE);
    assertEquals(contents(whole), contents(output));
  }

  @Test
  void startsOverForAnotherConfiguration() throws IOException {
    ConversionConfig other =
        ConversionConfig.of(
            GoldenModels.llama(),
            output,
            new ConversionTarget.HuggingFace(
                WeightFormat.TORCH,
                new io.github.pretrain4j.checkpoint.huggingface.ShardRule.Count(1),
                null));
    assertTrue(firstBytes(other) >= 0);
    assertFalse(Files.exists(output.resolve("iter_0000001")));
    assertFalse(Files.exists(output.resolve(".journal")));
  }

  @Test
  void startsOverWhenTheInputHasChanged() throws IOException {
    Path model = directory.resolve("model");
    copyTree(GoldenModels.llama(), model);
    ConversionConfig changed =
        ConversionConfig.of(model, output, ConversionTarget.Megatron.of(2, 2));
    assertTrue(firstBytes(changed) >= 0);
  }

  @Test
  void doesNotTrustFilesThatWereDamagedSince() throws IOException {
    try (Stream<Path> tree = Files.walk(partial)) {
      for (Path file : tree.filter(file -> file.toString().endsWith(".pt")).toList()) {
        byte[] bytes = Files.readAllBytes(file);
        bytes[bytes.length / 2] ^= 1;
        Files.write(file, bytes);
      }
    }
    try {
      firstBytes(config);
    } catch (io.github.pretrain4j.checkpoint.CorruptCheckpointException e) {
      assertFalse(Files.exists(output));
      assertFalse(Files.exists(partial), "the next run starts over");
      return;
    }
    Path whole = directory.resolve("whole");
    Conversion.run(
        ConversionConfig.of(GoldenModels.llama(), whole, ConversionTarget.Megatron.of(2, 2)),
        ConversionListener.NONE);
    assertEquals(contents(whole), contents(output));
  }

  @Test
  void doesNotDisturbAnotherRun() throws IOException {
    try (StagedOutput running = new StagedOutput(output, "another")) {
      assertThrows(
          FileAlreadyExistsException.class, () -> Conversion.run(config, ConversionListener.NONE));
      assertTrue(Files.exists(running.directory()));
    }
  }
}
