package io.github.pretrain4j.deploy;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/** Folders that Hugging Face transformers itself wrote have no errors. */
@Tag("shared")
class SharedPreflightTest {

  @TestFactory
  Stream<DynamicTest> foldersOfTransformersAreSound(@TempDir Path directory) throws IOException {
    Optional<Path> found = SharedFiles.golden();
    if (found.isEmpty()) {
      return Stream.of();
    }
    Path golden = found.get();
    List<DynamicTest> tests = new ArrayList<>();
    try (Stream<Path> models = Files.list(golden.resolve("hf"))) {
      for (Path model : models.sorted().toList()) {
        for (String format : List.of("safetensors", "bin")) {
          if (hasWeights(model.resolve(format))) {
            String name = model.getFileName() + "-" + format;
            tests.add(
                DynamicTest.dynamicTest(
                    name, () -> check(golden, model, format, directory.resolve(name))));
          }
        }
      }
    }
    return tests.stream();
  }

  private static boolean hasWeights(Path folder) throws IOException {
    if (!Files.isDirectory(folder)) {
      return false;
    }
    try (Stream<Path> files = Files.list(folder)) {
      return files.anyMatch(file -> file.toString().matches(".*\\.(safetensors|bin)"));
    }
  }

  private static void check(Path golden, Path model, String format, Path target)
      throws IOException {
    Files.createDirectories(target);
    copy(model.resolve(format), target);
    copy(golden.resolve("hf/tokenizer-512"), target);
    PreflightReport report = Preflight.inspect(target, null, null);
    assertFalse(report.hasErrors(), report.findings()::toString);
    assertEquals(format, report.weightFormat());
    assertEquals(512, report.vocabularySize());
  }

  private static void copy(Path from, Path to) throws IOException {
    try (Stream<Path> files = Files.list(from)) {
      for (Path file : files.toList()) {
        Files.copy(file, to.resolve(file.getFileName()));
      }
    }
  }
}
