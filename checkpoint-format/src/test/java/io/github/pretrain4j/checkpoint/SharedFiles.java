package io.github.pretrain4j.checkpoint;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/**
 * Recorded files of the reference programs: a few in the test resources, all of them where they are
 * laid beside.
 */
public final class SharedFiles {
  private SharedFiles() {}

  /** The torch files that come with the sources. How they were made: their index.json. */
  public static Path torchResources() {
    return Path.of("src/test/resources/golden/torch").toAbsolutePath();
  }

  /**
   * Files below {@code folder} of the large collection whose name ends so, sorted; none if it is
   * not there.
   */
  public static List<Path> golden(String folder, String ending) throws IOException {
    for (Path at = Path.of("").toAbsolutePath(); at != null; at = at.getParent()) {
      Path root = at.resolve("shared/golden").resolve(folder);
      if (Files.isDirectory(root)) {
        try (Stream<Path> files = Files.walk(root)) {
          return files
              .filter(file -> file.getFileName().toString().endsWith(ending))
              .filter(Files::isRegularFile)
              .sorted()
              .toList();
        }
      }
    }
    return List.of();
  }
}
