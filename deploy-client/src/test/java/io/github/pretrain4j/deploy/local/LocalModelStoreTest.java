package io.github.pretrain4j.deploy.local;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.pretrain4j.deploy.CorruptModelException;
import io.github.pretrain4j.deploy.ModelManifest;
import io.github.pretrain4j.deploy.ModelVersion;
import io.github.pretrain4j.deploy.ProgressListener;
import io.github.pretrain4j.deploy.TinyModel;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LocalModelStoreTest {
  private final Path directory;
  private final Path home;

  LocalModelStoreTest(@TempDir Path directory) {
    this.directory = directory;
    this.home = directory.resolve("store");
  }

  private static List<String> files(Path model) throws IOException {
    try (Stream<Path> walk = Files.walk(model)) {
      return walk.filter(Files::isRegularFile)
          .map(file -> model.relativize(file).toString())
          .sorted()
          .toList();
    }
  }

  private static ModelVersion add(LocalModelStore store, Path model) throws IOException {
    return store.importModel(model, files(model), ProgressListener.NONE);
  }

  private LocalModelStore store() {
    return new LocalModelStore(home);
  }

  private Path model(long seed) throws IOException {
    return TinyModel.write(directory.resolve("model" + seed), seed);
  }

  /** Names in the store that are neither a version nor a lock. */
  private List<String> leftovers() throws IOException {
    try (Stream<Path> entries = Files.list(home)) {
      return entries
          .map(entry -> String.valueOf(entry.getFileName()))
          .filter(name -> !name.matches("V\\d+|\\.import\\.lock"))
          .toList();
    }
  }

  @Test
  void numbersContentsAndFindsThemAgain() throws IOException {
    assertEquals("V1", add(store(), model(1)).label());
    assertEquals("V2", add(store(), model(2)).label());
    ModelVersion again = add(store(), TinyModel.write(directory.resolve("copy"), 1));
    assertEquals("V1", again.label());
    assertFalse(again.created());
    assertEquals(List.of(1, 2), List.copyOf(store().versions().keySet()));
    assertEquals(List.of(), leftovers());
    store().verify("V1");
    store().verify("V2");
  }

  @Test
  void keepsEveryByte() throws IOException {
    Path model = model(1);
    ModelVersion version = add(store(), model);
    for (String file : files(model)) {
      assertArrayEquals(
          Files.readAllBytes(model.resolve(file)),
          Files.readAllBytes(Path.of(version.id()).resolve(file)),
          file);
    }
    assertEquals(files(model), files(Path.of(version.id())));
  }

  @Test
  void aLaterChangeOfTheSourceChangesNoVersion() throws IOException {
    Path model = model(1);
    add(store(), model);
    try (RandomAccessFile file =
        new RandomAccessFile(model.resolve("config.json").toFile(), "rw")) {
      file.write('!');
    }
    store().verify("V1");
    assertEquals("V2", add(store(), model).label());
  }

  @Test
  void verifyNoticesEveryChange() throws IOException {
    add(store(), model(1));
    Path stored = store().modelDirectory("V1");
    Path config = stored.resolve("config.json");
    byte[] good = Files.readAllBytes(config);
    byte[] flipped = good.clone();
    flipped[5] ^= 1;
    Files.write(config, flipped);
    assertThrows(CorruptModelException.class, () -> store().verify("V1"));
    Files.delete(config);
    assertThrows(CorruptModelException.class, () -> store().verify("V1"));
    Files.write(config, good);
    store().verify("V1");
    Files.createFile(stored.resolve("extra"));
    assertThrows(CorruptModelException.class, () -> store().verify("V1"));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "[]",
        "{\"format\":2,\"sha256\":\"\",\"files\":[]}",
        "{\"format\":1,\"sha256\":\"00\",\"files\":[]}",
        "{\"format\":1,\"sha256\":\"00\",\"files\":[{\"path\":\"../x\",\"size\":1,\"sha256\":\"00\"}]}"
      })
  void refusesADamagedManifest(String text) throws IOException {
    add(store(), model(1));
    TinyModel.text(home.resolve("V1"), LocalModelStore.MANIFEST, text);
    assertThrows(CorruptModelException.class, () -> store().versions());
    assertThrows(CorruptModelException.class, () -> add(store(), model(1)));
  }

  @Test
  void refusesAVersionWithoutAManifest() throws IOException {
    Files.createDirectories(home.resolve("V1"));
    assertThrows(CorruptModelException.class, () -> store().versions());
  }

  @Test
  void anErrorLeavesNothing() throws IOException {
    for (String point : List.of("staging", "file", "copied", "manifest", "flushed", "locked")) {
      LocalModelStore failing =
          new LocalModelStore(
              home,
              reached -> {
                if (reached.equals(point)) {
                  throw new IOException("disk full");
                }
              });
      assertThrows(IOException.class, () -> add(failing, model(1)), point);
      assertEquals(List.of(), leftovers(), point);
      assertTrue(store().versions().isEmpty(), point);
    }
    assertThrows(
        IOException.class,
        () -> store().importModel(model(1), List.of("none"), ProgressListener.NONE));
    assertEquals(List.of(), leftovers());
  }

  /**
   * The process is halted at a point: afterwards a version is whole or not there, and imports work.
   */
  @ParameterizedTest
  @ValueSource(strings = {"staging", "file", "copied", "manifest", "flushed", "locked", "renamed"})
  void aCrashLeavesNothingHalfVisible(String point) throws Exception {
    Path model = model(1);
    int code = Crash.run(LocalModelStoreTest.class, home.toString(), model.toString(), point);
    assertEquals(Crash.HALTED, code);
    boolean published = point.equals("renamed");
    assertEquals(published ? 1 : 0, store().versions().size());
    if (published) {
      store().verify("V1");
    }
    ModelVersion version = add(store(), model);
    assertEquals("V1", version.label());
    assertEquals(!published, version.created());
    assertEquals("V2", add(store(), model(2)).label());
    assertEquals(List.of(), leftovers(), "an import removes what a dead process left");
    store().verify("V1");
  }

  /** What the crash test runs in a process of its own. */
  public static void main(String[] args) throws IOException {
    LocalModelStore store =
        new LocalModelStore(
            Path.of(args[0]),
            reached -> {
              if (reached.equals(args[2])) {
                Runtime.getRuntime().halt(Crash.HALTED);
              }
            });
    add(store, Path.of(args[1]));
  }

  @Test
  void importsAtTheSameTimeGetNumbersOfTheirOwn() throws Exception {
    int threads = 6;
    CyclicBarrier together = new CyclicBarrier(threads);
    ExecutorService executor = Executors.newFixedThreadPool(threads);
    try {
      List<Future<ModelVersion>> imports = new ArrayList<>();
      for (int i = 0; i < threads; i++) {
        Path model = model(i / 2); // each content twice
        Callable<ModelVersion> task =
            () -> {
              together.await();
              return add(store(), model);
            };
        imports.add(executor.submit(task));
      }
      SortedSet<String> labels = new TreeSet<>();
      for (int i = 0; i < threads; i += 2) {
        ModelVersion one = imports.get(i).get();
        ModelVersion two = imports.get(i + 1).get();
        assertEquals(one.label(), two.label());
        assertTrue(one.created() ^ two.created());
        labels.add(one.label());
      }
      assertEquals(new TreeSet<>(List.of("V1", "V2", "V3")), labels);
      assertEquals(List.of(), leftovers());
    } finally {
      executor.shutdownNow();
    }
  }

  @Test
  void importsOfTwoProcessesGetNumbersOfTheirOwn() throws Exception {
    Process other =
        Crash.start(LocalModelStoreTest.class, home.toString(), model(1).toString(), "never");
    ModelVersion mine = add(store(), model(2));
    assertEquals(0, other.waitFor());
    assertTrue(mine.created());
    assertEquals(2, store().versions().size());
    store().verify("V1");
    store().verify("V2");
  }

  @Test
  void manifestsNameTheContentNotTheOrder() {
    var one = new ModelManifest.Entry("a", 1, "0".repeat(64));
    var two = new ModelManifest.Entry("b", 2, "1".repeat(64));
    assertEquals(
        new ModelManifest(List.of(one, two)).sha256(),
        new ModelManifest(List.of(two, one)).sha256());
    assertThrows(IllegalArgumentException.class, () -> new ModelManifest(List.of(one, one)));
    for (String path : List.of("", "/a", "../a", "a/../b", "..")) {
      assertThrows(
          IllegalArgumentException.class,
          () -> new ModelManifest.Entry(path, 1, "0".repeat(64)),
          path);
    }
  }
}
