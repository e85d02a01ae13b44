package io.github.pretrain4j.checkpoint;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.pretrain4j.checkpoint.PlannedFiles.Options;
import java.io.File;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A run that is killed at any moment is continued, and ends with the bytes of one that is not. */
class ResumedWriteTest {
  private static final TensorInfo INFO = new TensorInfo("t", DataType.U8, List.of(3000L));

  /** Twelve tensors in three files, and a file without slots. */
  private static final int FILES = 3;

  private static final int SLOTS_PER_FILE = 4;

  private final Path temporary;
  private final Path journal;
  private final GeneratedTensors tensors;
  private Map<String, ByteBuffer> expected = Map.of();

  ResumedWriteTest(@TempDir Path temporary) {
    this.temporary = temporary;
    this.journal = temporary.resolve("journal");
    List<TensorInfo> infos = new ArrayList<>();
    for (int i = 0; i < FILES * SLOTS_PER_FILE; i++) {
      infos.add(INFO.withName("t" + i));
    }
    this.tensors = new GeneratedTensors(infos);
  }

  @BeforeEach
  void writeWithoutStops() throws IOException {
    Path directory = temporary.resolve("expected");
    PlannedFiles.write(directory, plan(tensors.inPieces()), Options.DEFAULT);
    expected = PlannedFilesTest.content(directory);
    assertEquals(FILES + 1, expected.size());
  }

  private List<PlannedFile> plan(TensorContent content) {
    List<PlannedFile> files = new ArrayList<>();
    for (int i = 0; i < FILES; i++) {
      List<TensorInfo> some =
          tensors.tensors().subList(i * SLOTS_PER_FILE, (i + 1) * SLOTS_PER_FILE);
      GeneratedTensors part = new GeneratedTensors(some);
      files.add(
          i == 1
              ? SafetensorsFile.plan("sub/b", some, Map.of(), content)
              : TorchFile.plan("f" + i, PlannedFilesTest.stateDict(part), content));
    }
    files.add(PlannedFile.bytes("last", new byte[] {1, 2, 3}));
    return files;
  }

  private static Options options(Path journal) {
    return Options.DEFAULT.withJournal(journal, "sources of today");
  }

  /** A journal is written every millisecond. */
  private static void write(Path directory, List<PlannedFile> files, Options options)
      throws IOException {
    new PlannedWrite(directory, files, options, 1).run();
  }

  private record Stop(Path directory, Path journal, Set<String> recorded) {}

  private static void copyTree(Path from, Path to) throws IOException {
    List<Path> paths;
    try (Stream<Path> tree = Files.walk(from)) {
      paths = tree.toList();
    }
    for (Path path : paths) {
      Path target = to.resolve(from.relativize(path).toString());
      if (Files.isDirectory(path)) {
        Files.createDirectories(target);
      } else {
        Files.copy(path, target);
      }
    }
  }

  private int journaled() throws IOException {
    return WriteJournal.read(
            journal, WriteJournal.identity(plan(tensors.inPieces()), "sources of today"))
        .size();
  }

  /**
   * What a kill leaves while each tensor is written: with all before it on record, and half of it.
   */
  private List<Stop> stops() throws IOException {
    List<Stop> stops = new ArrayList<>();
    Path directory = temporary.resolve("running");
    Set<String> asked = ConcurrentHashMap.newKeySet();
    TensorContent content =
        (tensor, out) -> {
          while (journaled() < asked.size()) {
            Thread.onSpinWait();
          }
          ByteBuffer data = ByteBuffer.allocate((int) tensor.byteCount());
          tensors.read(tensor.name(), 0, data);
          out.write(data.flip().limit(1000));
          Stop stop =
              new Stop(
                  temporary.resolve("stop" + asked.size()),
                  temporary.resolve("journal" + asked.size()),
                  Set.copyOf(asked));
          copyTree(directory, stop.directory());
          Files.copy(journal, stop.journal());
          stops.add(stop);
          asked.add(tensor.name());
          out.write(data.limit(3000));
        };
    Files.createDirectories(directory);
    write(directory, plan(content), options(journal));
    assertEquals(expected, PlannedFilesTest.content(directory));
    assertEquals(FILES * SLOTS_PER_FILE, stops.size());
    return stops;
  }

  @Test
  void continuesAfterAKillAtAnyTensor() throws IOException {
    for (Stop stop : stops()) {
      assertTrue(PlannedFiles.continues(plan(tensors.inPieces()), options(stop.journal())));
      Set<String> asked = ConcurrentHashMap.newKeySet();
      TensorContent content =
          (tensor, out) -> {
            asked.add(tensor.name());
            tensors.inPieces().write(tensor, out);
          };
      List<Long> progress = new ArrayList<>();
      Options options =
          options(stop.journal())
              .withWorkers(2)
              .withListener((written, total) -> progress.add(written));
      write(stop.directory(), plan(content), options);
      assertEquals(expected, PlannedFilesTest.content(stop.directory()));
      asked.retainAll(stop.recorded());
      assertEquals(Set.of(), asked, "recorded, and yet written again");
      assertTrue(progress.get(0) > stop.recorded().size() * INFO.byteCount());
    }
  }

  @Test
  void continuesAfterAFailure() throws IOException {
    Path directory = temporary.resolve("failing");
    for (int i = 0; i < FILES * SLOTS_PER_FILE; i++) {
      String bad = "t" + i;
      TensorContent content =
          (tensor, out) -> {
            if (tensor.name().equals(bad)) {
              throw new IOException("source went away");
            }
            tensors.inPieces().write(tensor, out);
          };
      assertThrows(IOException.class, () -> write(directory, plan(content), options(journal)));
      assertEquals(i, journaled());
      assertTrue(
          PlannedFilesTest.content(directory).keySet().stream().allMatch(f -> f.endsWith(".tmp")));
    }
    write(directory, plan(tensors.inPieces()), options(journal));
    assertEquals(expected, PlannedFilesTest.content(directory));
  }

  @Test
  void continuesAfterAKillAtAnyRename() throws IOException {
    Path directory = temporary.resolve("renamed");
    write(directory, plan(tensors.inPieces()), options(journal));
    List<PlannedFile> files = plan(tensors.inPieces());
    TensorContent none =
        (tensor, out) -> {
          throw new IllegalStateException("all tensors are written already");
        };
    for (int renamed = files.size(); renamed >= 0; renamed--) {
      for (int i = renamed; i < files.size(); i++) {
        Path place = directory.resolve(files.get(i).path());
        Files.move(place, place.resolveSibling("." + place.getFileName() + ".tmp"));
      }
      write(directory, plan(none), options(journal));
      assertEquals(expected, PlannedFilesTest.content(directory));
    }
  }

  @Test
  void beginsAnewIfThePlanOrTheSourcesAreOthers() throws IOException {
    Stop stop = stops().get(7);
    Options others = Options.DEFAULT.withJournal(stop.journal(), "sources of tomorrow");
    assertFalse(PlannedFiles.continues(plan(tensors.inPieces()), others));
    assertFalse(
        PlannedFiles.continues(plan(tensors.inPieces()).subList(0, 2), options(stop.journal())));
    assertFalse(
        PlannedFiles.continues(plan(tensors.inPieces()), options(temporary.resolve("none"))));
    assertFalse(PlannedFiles.continues(plan(tensors.inPieces()), Options.DEFAULT));
    Set<String> asked = ConcurrentHashMap.newKeySet();
    TensorContent content =
        (tensor, out) -> {
          asked.add(tensor.name());
          tensors.inPieces().write(tensor, out);
        };
    write(stop.directory(), plan(content), others);
    assertEquals(FILES * SLOTS_PER_FILE, asked.size());
    assertEquals(expected, PlannedFilesTest.content(stop.directory()));
  }

  @Test
  void doesNotBelieveADamagedJournal() throws IOException {
    Stop stop = stops().get(6);
    byte[] whole = Files.readAllBytes(stop.journal());
    Random random = new Random(7);
    for (int i = 0; i < 24; i++) {
      byte[] damaged = whole.clone();
      if (i % 3 == 0) {
        damaged = Arrays.copyOf(whole, random.nextInt(whole.length));
      } else if (i % 3 == 1) {
        damaged[random.nextInt(whole.length)] ^= (byte) (1 << random.nextInt(8));
      } else {
        damaged = Arrays.copyOf(whole, whole.length + random.nextInt(100)); // zeros
      }
      Path directory = temporary.resolve("damaged" + i);
      copyTree(stop.directory(), directory);
      Path copy = temporary.resolve("damaged-journal" + i);
      Files.write(copy, damaged);
      write(directory, plan(tensors.inPieces()), options(copy));
      assertEquals(expected, PlannedFilesTest.content(directory));
    }
  }

  @Test
  void writesAgainWhatIsGoneOrCut() throws IOException {
    Stop stop = stops().get(9);
    List<String> files = List.copyOf(PlannedFilesTest.content(stop.directory()).keySet());
    assertEquals(FILES + 1, files.size());
    for (String name : files) {
      for (int keep : new int[] {-1, 0, 500}) {
        Path directory = temporary.resolve(name.replace('/', '-') + keep);
        copyTree(stop.directory(), directory);
        Path file = directory.resolve(name);
        byte[] bytes = Files.readAllBytes(file);
        Files.delete(file);
        if (keep >= 0) {
          Files.write(file, Arrays.copyOf(bytes, keep));
        }
        Path copy = temporary.resolve("journal-" + name.replace('/', '-') + keep);
        Files.copy(stop.journal(), copy, StandardCopyOption.REPLACE_EXISTING);
        write(directory, plan(tensors.inPieces()), options(copy));
        assertEquals(expected, PlannedFilesTest.content(directory));
      }
    }
  }

  /** A real process, halted in the middle; {@link HaltedWrite} is its main class. */
  @Test
  void continuesAfterTheDeathOfItsProcess() throws Exception {
    Path directory = temporary.resolve("killed");
    for (int i = 0; i < 4; i++) {
      Process process =
          new ProcessBuilder(
                  Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                  "-cp",
                  location(HaltedWrite.class) + File.pathSeparator + location(PlannedFiles.class),
                  HaltedWrite.class.getName(),
                  directory.toString(),
                  journal.toString(),
                  Integer.toString(3 * i + 2))
              .inheritIO()
              .start();
      assertEquals(HaltedWrite.EXIT, process.waitFor());
      assertTrue(
          PlannedFilesTest.content(directory).keySet().stream().allMatch(f -> f.endsWith(".tmp")));
    }
    assertTrue(journaled() > 0);
    write(directory, plan(tensors.inPieces()), options(journal));
    assertEquals(expected, PlannedFilesTest.content(directory));
  }

  private static Path location(Class<?> type) throws URISyntaxException {
    return Path.of(type.getProtectionDomain().getCodeSource().getLocation().toURI());
  }

  /** Writes what the test writes, and dies after so many tensors. */
  static final class HaltedWrite {
    static final int EXIT = 77;

    private HaltedWrite() {}

    /** Arguments: directory, journal, number of tensors. */
    public static void main(String[] args) throws IOException {
      ResumedWriteTest test = new ResumedWriteTest(Path.of(args[1]).resolveSibling(""));
      int limit = Integer.parseInt(args[2]);
      TensorContent content =
          (tensor, out) -> {
            // A restarted run has more on record than it has asked for.
            while (test.journaled() < Math.min(limit, tensorNumber(tensor))) {
              Thread.onSpinWait();
            }
            if (tensorNumber(tensor) >= limit) {
              Runtime.getRuntime().halt(EXIT);
            }
            test.tensors.inPieces().write(tensor, out);
          };
      write(Path.of(args[0]), test.plan(content), options(Path.of(args[1])));
    }

    private static int tensorNumber(TensorInfo tensor) {
      return Integer.parseInt(tensor.name().substring(1));
    }
  }
}
