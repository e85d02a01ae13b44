package io.github.pretrain4j.dataset.gpt;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.jspecify.annotations.NullUnmarked;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Several processes at one cache, some of them killed. */
@NullUnmarked // JUnit injects what the compiler cannot see
class CacheProcessesTest {
  @TempDir Path temporary;

  private static Process start(Path prefix, Path cache) throws IOException {
    return new ProcessBuilder(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-Xmx256m",
            "-cp",
            System.getProperty("java.class.path"),
            BuildCacheMain.class.getName(),
            prefix.toString(),
            cache.toString())
        .inheritIO()
        .start();
  }

  private static Map<String, byte[]> files(Path cache) throws IOException {
    Map<String, byte[]> contents = new TreeMap<>();
    try (Stream<Path> files = Files.list(cache)) {
      for (Path file : files.toList()) {
        if (!file.toString().endsWith(".partial")) {
          contents.put(file.getFileName().toString(), Files.readAllBytes(file));
        }
      }
    }
    return contents;
  }

  @Test
  void oneBuildsWhileOthersWaitAndAKilledOneLeavesNoCache() throws Exception {
    Path prefix = Corpora.write(temporary.resolve("a"), 5000, i -> i % 19, (i, k) -> k);
    Path right = temporary.resolve("right");
    BuildCacheMain.build(prefix, right);
    Map<String, byte[]> expected = files(right);
    assertEquals(4, expected.size());
    Random random = new Random(5);
    for (int round = 0; round < 1; round++) {
      Path cache = temporary.resolve("cache" + round);
      List<Process> processes = new ArrayList<>();
      for (int i = 0; i < 3; i++) {
        processes.add(start(prefix, cache));
      }
      // Whenever it dies, the others are done and right.
      processes.get(0).waitFor(150 + random.nextInt(500), TimeUnit.MILLISECONDS);
      processes.get(0).destroyForcibly().waitFor();
      for (Process process : processes.subList(1, 3)) {
        assertEquals(0, process.waitFor());
      }
      Map<String, byte[]> found = files(cache);
      assertEquals(expected.keySet(), found.keySet());
      for (String name : expected.keySet()) {
        assertArrayEquals(expected.get(name), found.get(name), name);
      }
    }
  }
}
