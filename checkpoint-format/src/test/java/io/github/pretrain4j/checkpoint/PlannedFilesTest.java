package io.github.pretrain4j.checkpoint;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.pretrain4j.checkpoint.PlannedFiles.Options;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.CountDownLatch;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import java.util.zip.CRC32;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Planned files hold what they should, whoever fills them, or are not there. */
class PlannedFilesTest {
  private final Path temporary;

  PlannedFilesTest(@TempDir Path temporary) {
    this.temporary = temporary;
  }

  /** Few: each flushes several files to disk. */
  static LongStream seeds() {
    return Seeds.seeds().limit(8);
  }

  static PlannedFile safetensors(String path, GeneratedTensors tensors) {
    return SafetensorsFile.plan(
        path, tensors.tensors(), Map.of("format", "pt"), TensorContent.copyOf(tensors));
  }

  static PickleObject stateDict(GeneratedTensors tensors) {
    Map<String, PickleObject> entries = new LinkedHashMap<>();
    for (TensorInfo info : tensors.tensors()) {
      entries.put(info.name(), TensorReference.contiguous(info));
    }
    return PickleObject.PyDict.ordered(entries);
  }

  static PlannedFile torch(String path, GeneratedTensors tensors) {
    return TorchFile.plan(path, stateDict(tensors), TensorContent.copyOf(tensors));
  }

  static Map<String, ByteBuffer> content(Path directory) throws IOException {
    Map<String, ByteBuffer> content = new TreeMap<>();
    if (Files.isDirectory(directory)) {
      List<Path> files;
      try (Stream<Path> tree = Files.walk(directory)) {
        files = tree.filter(Files::isRegularFile).toList();
      }
      for (Path file : files) {
        content.put(
            directory.relativize(file).toString(), ByteBuffer.wrap(Files.readAllBytes(file)));
      }
    }
    return content;
  }

  @ParameterizedTest(name = "-Dtest.seed={0}")
  @MethodSource("seeds")
  void makesTheSameFilesWithAnyNumberOfWorkers(long seed) throws IOException {
    Random random = new Random(seed);
    GeneratedTensors first = GeneratedTensors.of(random, "first.");
    GeneratedTensors second = GeneratedTensors.of(random, "second.");
    Path alone = Files.createDirectory(temporary.resolve("alone"));
    SafetensorsWriter.write(
        alone.resolve("a.safetensors"), first.tensors(), Map.of("format", "pt"), first.inPieces());
    TorchFileWriter.write(alone.resolve("b.pt"), stateDict(second), second.inPieces());
    List<PlannedFile> files =
        List.of(
            safetensors("a.safetensors", first),
            torch("b.pt", second),
            PlannedFile.bytes("deep/below/c", new byte[] {1, 2, 3}),
            PlannedFile.bytes("empty", new byte[0]));
    Path together = temporary.resolve("together");
    PlannedFiles.write(together, files, Options.DEFAULT.withWorkers(1 + random.nextInt(4)));
    Map<String, ByteBuffer> expected = content(alone);
    expected.put("deep/below/c", ByteBuffer.wrap(new byte[] {1, 2, 3}));
    expected.put("empty", ByteBuffer.allocate(0));
    assertEquals(expected, content(together));
  }

  @ParameterizedTest(name = "-Dtest.seed={0}")
  @MethodSource("seeds")
  void joinsArchivesThatReadAsIfTheyStoodAlone(long seed) throws IOException {
    Random random = new Random(seed);
    List<PlannedFile> parts = new ArrayList<>();
    List<GeneratedTensors> tensors = new ArrayList<>();
    for (int i = 0; i < 4; i++) {
      GeneratedTensors some = GeneratedTensors.of(random, "part" + i + ".");
      tensors.add(some);
      parts.add(
          i == 2
              ? TorchFile.plan("archive", stateDict(some), some.inPieces())
              : torch("archive", some));
    }
    PlannedFiles.write(
        temporary,
        List.of(PlannedFile.concatenation("__0_0.distcp", parts)),
        Options.DEFAULT.withWorkers(3));
    Path file = temporary.resolve("__0_0.distcp");
    long offset = 0;
    for (int i = 0; i < parts.size(); i++) {
      try (TorchFileReader reader = TorchFileReader.open(file, offset, parts.get(i).size())) {
        reader.verify();
        TensorSource read = reader.tensors((PickleObject.PyDict) reader.root());
        for (TensorInfo info : tensors.get(i).tensors()) {
          ByteBuffer expected = ByteBuffer.allocate((int) info.byteCount());
          tensors.get(i).read(info.name(), 0, expected);
          ByteBuffer found = ByteBuffer.allocate((int) info.byteCount());
          read.read(info.name(), 0, found);
          assertEquals(expected.flip(), found.flip(), info.name());
        }
      }
      offset += parts.get(i).size();
    }
    assertEquals(offset, Files.size(file));
  }

  @Test
  void joinsTheChecksumsOfLongTensors() throws IOException {
    long elements = PlannedTarget.PART_BYTES * 2 + 12_345;
    GeneratedTensors tensors =
        new GeneratedTensors(List.of(new TensorInfo("long", DataType.U8, List.of(elements))));
    PlannedFiles.write(temporary, List.of(torch("x.pt", tensors)), Options.DEFAULT.withWorkers(2));
    try (TorchFileReader reader = TorchFileReader.open(temporary.resolve("x.pt"))) {
      reader.verify();
    }
    TorchFileWriter.write(temporary.resolve("y.pt"), stateDict(tensors), tensors.inPieces());
    try (TorchFileReader reader = TorchFileReader.open(temporary.resolve("y.pt"))) {
      reader.verify();
    }
  }

  @ParameterizedTest(name = "-Dtest.seed={0}")
  @MethodSource("io.github.pretrain4j.checkpoint.Seeds#seeds")
  void combinesChecksums(long seed) {
    Random random = new Random(seed);
    byte[] bytes = new byte[random.nextInt(5000)];
    random.nextBytes(bytes);
    int split = random.nextInt(bytes.length + 1);
    assertEquals(
        crc(bytes, 0, bytes.length),
        CombinedCrc32.of(
            crc(bytes, 0, split), crc(bytes, split, bytes.length), bytes.length - split));
  }

  private static int crc(byte[] bytes, int from, int to) {
    CRC32 crc = new CRC32();
    crc.update(bytes, from, to - from);
    return (int) crc.getValue();
  }

  /** Only the frame is written: the data of the large storage is a hole in the file. */
  @Test
  void laysOutArchivesBeyondFourGiB() throws IOException {
    TensorInfo large = new TensorInfo("large", DataType.F32, List.of(3L << 29)); // 6 GiB
    TensorInfo small = new TensorInfo("small", DataType.F32, List.of(2L));
    Map<String, PickleObject> entries = new LinkedHashMap<>();
    entries.put("large", TensorReference.contiguous(large));
    entries.put("small", TensorReference.contiguous(small));
    TensorContent none =
        (tensor, out) -> {
          throw new IllegalStateException("not asked for");
        };
    PlannedFile plan = TorchFile.plan("x.pt", PickleObject.PyDict.of(entries), none);
    Path file = temporary.resolve("x.pt");
    try (FileChannel out =
        FileChannel.open(
            file,
            StandardOpenOption.CREATE_NEW,
            StandardOpenOption.WRITE,
            StandardOpenOption.SPARSE)) {
      plan.writeFrame(
          (offset, source) -> assertEquals(source.remaining(), out.write(source, offset)),
          index -> index + 1);
      out.write(
          ByteBuffer.wrap(new byte[] {1, 2, 3, 4, 5, 6, 7, 8}), plan.slots().get(1).byteOffset());
      assertEquals(plan.size(), out.size());
    }
    try (FileBytes bytes = FileBytes.open(file)) {
      ZipDirectory zip = ZipDirectory.read(bytes);
      ZipRecord first = Objects.requireNonNull(zip.records().get("data/0"));
      assertEquals(
          new ZipRecord(
              "data/0", first.headerOffset(), plan.slots().get(0).byteOffset(), 6L << 30, 1),
          first);
      assertEquals(
          plan.slots().get(1).byteOffset(),
          Objects.requireNonNull(zip.records().get("data/1")).dataOffset());
    }
    try (TorchFileReader reader = TorchFileReader.open(file);
        TensorSource tensors = reader.tensors((PickleObject.PyDict) reader.root())) {
      ByteBuffer found = ByteBuffer.allocate(8);
      tensors.read("small", 0, found);
      assertArrayEquals(new byte[] {1, 2, 3, 4, 5, 6, 7, 8}, found.array());
    }
  }

  @Test
  void refusesPathsOutsideAndTwoFilesInOnePlace() {
    for (String path : List.of("", "/a", "a//b", "../a", "a/..", ".", "a\\b")) {
      assertThrows(
          IllegalArgumentException.class, () -> PlannedFile.bytes(path, new byte[0]), path);
    }
    List<PlannedFile> twice =
        List.of(PlannedFile.bytes("a", new byte[1]), PlannedFile.bytes("a", new byte[2]));
    assertThrows(
        IllegalArgumentException.class,
        () -> PlannedFiles.write(temporary, twice, Options.DEFAULT));
    assertThrows(IllegalArgumentException.class, () -> Options.DEFAULT.withWorkers(0));
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 3})
  void leavesNothingWhenContentFails(int workers) throws IOException {
    GeneratedTensors good = GeneratedTensors.of(new Random(1), "t");
    IOException failure = new IOException("source went away");
    Map<Throwable, TensorContent> bad = new LinkedHashMap<>();
    bad.put(
        failure,
        (tensor, out) -> {
          throw failure;
        });
    IllegalStateException wrong = new IllegalStateException("a bug");
    bad.put(
        wrong,
        (tensor, out) -> {
          throw wrong;
        });
    for (Map.Entry<Throwable, TensorContent> each : bad.entrySet()) {
      List<PlannedFile> files =
          List.of(safetensors("a", good), TorchFile.plan("b", stateDict(good), each.getValue()));
      Throwable thrown =
          assertThrows(
              Throwable.class,
              () -> PlannedFiles.write(temporary, files, Options.DEFAULT.withWorkers(workers)));
      assertSame(each.getKey(), thrown);
      assertEquals(Map.of(), content(temporary));
    }
  }

  @Test
  void refusesContentOfAnotherLength() throws IOException {
    TensorInfo info = new TensorInfo("t", DataType.U8, List.of(5L));
    for (int length : new int[] {0, 4, 6}) {
      PlannedFile file =
          SafetensorsFile.plan(
              "a",
              List.of(info),
              Map.of(),
              (tensor, out) -> out.write(ByteBuffer.allocate(length)));
      assertThrows(
          IllegalStateException.class,
          () -> PlannedFiles.write(temporary, List.of(file), Options.DEFAULT));
      assertEquals(Map.of(), content(temporary));
    }
    TensorContent other =
        TensorContent.copyOf(
            new GeneratedTensors(List.of(new TensorInfo("t", DataType.U8, List.of(6L)))));
    PlannedFile file = SafetensorsFile.plan("a", List.of(info), Map.of(), other);
    assertThrows(
        IllegalArgumentException.class,
        () -> PlannedFiles.write(temporary, List.of(file), Options.DEFAULT));
  }

  @Test
  void refusesPlansThatDoNotCoverTheFile() {
    PlannedFile file = new FramedFile("a", 10, List.of(), (sink, checksums) -> {});
    IllegalStateException e =
        assertThrows(
            IllegalStateException.class,
            () -> PlannedFiles.write(temporary, List.of(file), Options.DEFAULT));
    assertTrue(String.valueOf(e.getMessage()).contains("0 bytes were written, 10 planned"));
  }

  @Test
  void keepsTheOldFileWhenTheDiskIsFull() throws IOException {
    Files.write(temporary.resolve("b"), new byte[] {9});
    Files.createSymbolicLink(temporary.resolve(".b.tmp"), Path.of("/dev/full"));
    GeneratedTensors tensors = GeneratedTensors.of(new Random(3), "t");
    CheckpointWriteException e =
        assertThrows(
            CheckpointWriteException.class,
            () ->
                PlannedFiles.write(
                    temporary,
                    List.of(safetensors("a", tensors), safetensors("b", tensors)),
                    Options.DEFAULT.withWorkers(2)));
    assertEquals(temporary.resolve("b"), e.file());
    assertEquals(Map.of("b", ByteBuffer.wrap(new byte[] {9})), content(temporary));
  }

  @Test
  void stopsWhenItsCallerIsInterrupted() throws Exception {
    CountDownLatch begun = new CountDownLatch(1);
    CountDownLatch release = new CountDownLatch(1);
    TensorInfo info = new TensorInfo("t", DataType.U8, List.of(5L << 20));
    PlannedFile file =
        SafetensorsFile.plan(
            "a",
            List.of(info, info.withName("u"), info.withName("v")),
            Map.of(),
            (tensor, out) -> {
              begun.countDown();
              try {
                release.await();
              } catch (InterruptedException e) {
                throw new IllegalStateException(e);
              }
              out.write(ByteBuffer.allocate(5 << 20));
            });
    List<Throwable> thrown = new ArrayList<>();
    Thread writer =
        new Thread(
            () -> {
              try {
                PlannedFiles.write(temporary, List.of(file), Options.DEFAULT.withWorkers(2));
              } catch (IOException e) {
                thrown.add(e);
                thrown.add(new Throwable("interrupted: " + Thread.currentThread().isInterrupted()));
              }
            });
    writer.start();
    begun.await();
    writer.interrupt();
    while (writer.isInterrupted()) {
      Thread.onSpinWait();
    }
    release.countDown();
    writer.join();
    assertEquals(2, thrown.size());
    assertTrue(thrown.get(0) instanceof InterruptedIOException, String.valueOf(thrown.get(0)));
    assertEquals("interrupted: true", thrown.get(1).getMessage());
    assertEquals(Map.of(), content(temporary));
  }

  @Test
  void tellsAboutProgressInOrder() throws IOException {
    GeneratedTensors tensors = GeneratedTensors.of(new Random(5), "t");
    List<PlannedFile> files = List.of(safetensors("a", tensors), torch("b", tensors));
    List<Long> written = new ArrayList<>();
    long expected = 2 * tensors.tensors().stream().mapToLong(TensorInfo::byteCount).sum();
    PlannedFiles.write(
        temporary,
        files,
        Options.DEFAULT
            .withWorkers(3)
            .withListener(
                (bytes, total) -> {
                  assertEquals(expected, total);
                  written.add(bytes);
                }));
    assertEquals(written.stream().sorted().toList(), written);
    assertEquals(expected, written.get(written.size() - 1));
  }
}
