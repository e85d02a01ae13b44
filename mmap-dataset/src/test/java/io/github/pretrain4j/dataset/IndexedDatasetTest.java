package io.github.pretrain4j.dataset;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.pretrain4j.dataset.storage.MappedFile;
import io.github.pretrain4j.dataset.storage.PendingFile;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.jspecify.annotations.NullUnmarked;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

@NullUnmarked // JUnit injects, and assertions check, what the compiler cannot see
class IndexedDatasetTest {
  @TempDir Path temporary;

  static LongStream seeds() {
    Long replay = Long.getLong("test.seed");
    return replay == null ? LongStream.range(0, 40) : LongStream.of(replay);
  }

  private List<String> names() throws IOException {
    try (Stream<Path> files = Files.list(temporary)) {
      return files.map(file -> file.getFileName().toString()).sorted().toList();
    }
  }

  private static int[] randomTokens(Random random, TokenType type, int length) {
    return random
        .ints(
            length,
            type.minimum(),
            type.maximum() + 1L > Integer.MAX_VALUE ? Integer.MAX_VALUE : type.maximum() + 1)
        .toArray();
  }

  @ParameterizedTest(name = "-Dtest.seed={0}")
  @MethodSource("seeds")
  void readsBackWhatItWrote(long seed) throws IOException {
    Random random = new Random(seed);
    List<TokenType> types = List.of(TokenType.values());
    TokenType type = types.get(random.nextInt(types.size()));
    Path prefix = temporary.resolve("a.b.c");
    List<int[]> sequences = new ArrayList<>();
    List<Long> documents = new ArrayList<>(List.of(0L));
    try (IndexedDatasetWriter writer = IndexedDatasetWriter.create(prefix, type)) {
      int documentCount = random.nextInt(50);
      for (int d = 0; d < documentCount; d++) {
        for (int s = random.nextInt(4); s > 0; s--) {
          int[] tokens =
              randomTokens(random, type, random.nextInt(4) == 0 ? 0 : random.nextInt(30));
          if (random.nextInt(100) == 0) {
            tokens = randomTokens(random, type, 50_000);
          }
          sequences.add(tokens);
          writer.addSequence(tokens, 0, tokens.length);
        }
        writer.endDocument();
        documents.add((long) sequences.size());
      }
      assertEquals(documentCount, writer.documentCount());
      writer.finish();
    }
    assertEquals(List.of("a.b.c.bin", "a.b.c.idx"), names());
    try (IndexedDataset dataset = IndexedDataset.open(prefix)) {
      dataset.verify();
      assertEquals(type, dataset.tokenType());
      assertEquals(sequences.size(), dataset.sequenceCount());
      assertEquals(documents.size() - 1, dataset.documentCount());
      assertEquals(sequences.stream().mapToLong(s -> s.length).sum(), dataset.tokenCount());
      for (int d = 0; d < documents.size(); d++) {
        assertEquals(documents.get(d), dataset.firstSequence(d));
      }
      for (int s = 0; s < sequences.size(); s++) {
        int[] expected = sequences.get(s);
        assertEquals(expected.length, dataset.sequenceLength(s));
        assertArrayEquals(expected, dataset.sequence(s));
        int offset = random.nextInt(expected.length + 1);
        int length = random.nextInt(expected.length - offset + 1);
        int[] window = new int[length + 2];
        dataset.read(s, offset, length, window, 1);
        assertArrayEquals(
            Arrays.copyOfRange(expected, offset, offset + length),
            Arrays.copyOfRange(window, 1, length + 1));
      }
    }
  }

  @Test
  void readsMegatronsFiles() throws IOException {
    for (Path root : Golden.roots()) {
      try (Stream<Path> files = Files.list(root.resolve("data"))) {
        for (Path file : files.filter(f -> f.toString().endsWith(".idx")).toList()) {
          String name = file.toString();
          Path prefix = Path.of(name.substring(0, name.length() - ".idx".length()));
          copyOfGolden(prefix);
        }
      }
    }
  }

  /** A reference dataset, read and written again, has the same bytes. */
  private void copyOfGolden(Path prefix) throws IOException {
    Path copy = temporary.resolve("copy");
    try (IndexedDataset dataset = IndexedDataset.open(prefix);
        IndexedDatasetWriter writer = IndexedDatasetWriter.create(copy, dataset.tokenType())) {
      dataset.verify();
      for (long d = 0; d < dataset.documentCount(); d++) {
        for (long s = dataset.firstSequence(d); s < dataset.firstSequence(d + 1); s++) {
          int[] tokens = dataset.sequence(s);
          writer.addSequence(tokens, 0, tokens.length);
        }
        writer.endDocument();
      }
      writer.finish();
    }
    for (String suffix : List.of(".bin", ".idx")) {
      assertEquals(
          -1,
          Files.mismatch(Path.of(prefix + suffix), Path.of(copy + suffix)),
          () -> prefix + suffix);
    }
  }

  /** Values from the format's description: one multimodal document of two sequences. */
  @Test
  void readsAMultimodalFileWithoutItsModes() throws IOException {
    Path prefix = temporary.resolve("m");
    Files.write(
        Path.of(prefix + ".idx"),
        HexFormat.of()
            .parseHex(
                "4d4d49444944580000010000000000000004020000000000000002000000000000000200000001000000"
                    + "00000000000000000800000000000000000000000000000002000000000000000001"));
    Files.write(Path.of(prefix + ".bin"), HexFormat.of().parseHex("010000000200000003000000"));
    try (IndexedDataset dataset = IndexedDataset.open(prefix)) {
      dataset.verify();
      assertEquals(1, dataset.documentCount());
      assertArrayEquals(new int[] {1, 2}, dataset.sequence(0));
      assertArrayEquals(new int[] {3}, dataset.sequence(1));
    }
  }

  @Test
  void choosesMegatronsType() {
    assertEquals(TokenType.UINT16, TokenType.forVocabularySize(65499));
    assertEquals(TokenType.INT32, TokenType.forVocabularySize(65500));
    assertThrows(IllegalArgumentException.class, () -> TokenType.forVocabularySize(0));
  }

  @ParameterizedTest
  @EnumSource(TokenType.class)
  void refusesIdsThatDoNotFit(TokenType type) throws IOException {
    Path prefix = temporary.resolve("x");
    try (IndexedDatasetWriter writer = IndexedDatasetWriter.create(prefix, type)) {
      for (long id : new long[] {type.minimum() - 1L, type.maximum() + 1L}) {
        if ((int) id == id) {
          int[] tokens = {0, (int) id};
          assertThrows(IllegalArgumentException.class, () -> writer.addSequence(tokens, 0, 2));
        }
      }
      writer.addSequence(new int[] {type.minimum(), type.maximum()}, 0, 2);
      writer.endDocument();
      writer.finish();
    }
    try (IndexedDataset dataset = IndexedDataset.open(prefix)) {
      assertArrayEquals(new int[] {type.minimum(), type.maximum()}, dataset.sequence(0));
    }
  }

  @Test
  void refusesElementsThatAreNoIds() throws IOException {
    Path prefix = temporary.resolve("x");
    for (TokenType type : List.of(TokenType.INT64, TokenType.FLOAT64, TokenType.FLOAT32)) {
      try (IndexedDatasetWriter writer = IndexedDatasetWriter.create(prefix, type)) {
        writer.addSequence(new int[] {1, 2, 3}, 0, 3);
        writer.endDocument();
        writer.finish();
      }
      ByteBuffer element = ByteBuffer.allocate(type.bytes()).order(ByteOrder.LITTLE_ENDIAN);
      switch (type) {
        case INT64 -> element.putLong(1L << 31);
        case FLOAT64 -> element.putDouble(0.5);
        default -> element.putFloat(Float.NaN);
      }
      try (FileChannel channel =
          FileChannel.open(Path.of(prefix + ".bin"), StandardOpenOption.WRITE)) {
        channel.write(element.flip(), type.bytes());
      }
      try (IndexedDataset dataset = IndexedDataset.open(prefix)) {
        CorruptDatasetException e =
            assertThrows(CorruptDatasetException.class, () -> dataset.sequence(0));
        assertEquals(type.bytes(), e.byteOffset());
        assertThrows(CorruptDatasetException.class, dataset::verify);
      }
    }
  }

  @Test
  void checksBounds() throws IOException {
    Path prefix = temporary.resolve("x");
    try (IndexedDatasetWriter writer = IndexedDatasetWriter.create(prefix, TokenType.UINT16)) {
      writer.addSequence(new int[] {1, 2, 3}, 0, 3);
      writer.addSequence(new int[] {4}, 0, 1);
      assertThrows(IllegalStateException.class, writer::finish);
      writer.endDocument();
      writer.finish();
      assertThrows(IllegalStateException.class, writer::endDocument);
      assertThrows(IllegalStateException.class, writer::finish);
    }
    IndexedDataset dataset = IndexedDataset.open(prefix);
    int[] target = new int[3];
    assertThrows(IndexOutOfBoundsException.class, () -> dataset.read(0, 1, 3, target, 0));
    assertThrows(IndexOutOfBoundsException.class, () -> dataset.read(0, 0, 3, target, 1));
    assertThrows(IndexOutOfBoundsException.class, () -> dataset.read(2, 0, 0, target, 0));
    assertThrows(IndexOutOfBoundsException.class, () -> dataset.read(-1, 0, 0, target, 0));
    assertThrows(IndexOutOfBoundsException.class, () -> dataset.sequenceLength(2));
    assertThrows(IndexOutOfBoundsException.class, () -> dataset.firstSequence(2));
    dataset.close();
    dataset.close();
    assertThrows(IllegalStateException.class, () -> dataset.sequence(0));
    assertThrows(IllegalStateException.class, dataset::verify);
    assertThrows(IllegalArgumentException.class, () -> IndexedDataset.open(Path.of("/")));
  }

  @Test
  void closingWithoutFinishingLeavesNothing() throws IOException {
    Path prefix = temporary.resolve("x");
    try (IndexedDatasetWriter writer = IndexedDatasetWriter.create(prefix, TokenType.INT32)) {
      writer.addSequence(new int[100_000], 0, 100_000);
      writer.endDocument();
      assertFalse(names().isEmpty());
    }
    assertEquals(List.of(), names());
  }

  @Test
  void aReadOnlyDirectoryIsAClearError() throws IOException {
    Path directory = Files.createDirectory(temporary.resolve("closed"));
    assertTrue(directory.toFile().setWritable(false));
    if (Files.isWritable(directory)) {
      return; // the superuser may write anywhere; /proc stands in below
    }
    FileSystemException e =
        assertThrows(
            FileSystemException.class,
            () -> IndexedDatasetWriter.create(directory.resolve("x"), TokenType.INT32));
    assertTrue(e.getMessage().contains("x.bin: cannot write: permission denied"), e.getMessage());
  }

  @Test
  void aFullDiskIsAClearErrorAndLeavesTheOldDataset() throws IOException {
    Path full = Path.of("/dev/full");
    if (!Files.exists(full)) {
      return;
    }
    Path link = Files.createSymbolicLink(temporary.resolve("full"), full);
    try (PendingFile file = PendingFile.open(temporary.resolve("x.bin"), link)) {
      file.put(new byte[1000]);
      FileSystemException e = assertThrows(FileSystemException.class, file::flush);
      assertTrue(
          e.getMessage().contains("x.bin: cannot write at byte 0: No space left"), e.getMessage());
      assertThrows(FileSystemException.class, file::seal);
    }
    assertEquals(List.of(), names());
  }

  @Test
  void aFullDiskStopsACopyByTheOperatingSystem() throws IOException {
    Path full = Path.of("/dev/full");
    if (!Files.exists(full)) {
      return;
    }
    Path source = Files.write(temporary.resolve("source"), new byte[1 << 17]);
    Path link = Files.createSymbolicLink(temporary.resolve("full"), full);
    try (PendingFile file = PendingFile.open(temporary.resolve("x.bin"), link);
        FileChannel channel = FileChannel.open(source)) {
      FileSystemException e =
          assertThrows(
              FileSystemException.class, () -> file.transferFrom(channel, 0, channel.size()));
      assertTrue(e.getMessage().contains("x.bin: cannot write at byte 0"), e.getMessage());
      assertThrows(FileSystemException.class, file::seal);
    }
    assertEquals(List.of("source"), names());
  }

  /** A directory in which nobody can make a file, whoever runs this. */
  @Test
  void whereNothingCanBeWrittenEveryOperationSaysSo() throws IOException {
    Path closed = Path.of("/proc/self");
    if (!Files.isDirectory(closed)) {
      return;
    }
    Path prefix = temporary.resolve("x");
    try (IndexedDatasetWriter writer = IndexedDatasetWriter.create(prefix, TokenType.UINT16)) {
      writer.addDocument(new int[] {1, 2}, new int[] {2});
      writer.finish();
    }
    List<String> before = names();
    Path output = closed.resolve("out");
    for (Executable operation :
        List.<Executable>of(
            () -> IndexedDatasetWriter.create(output, TokenType.UINT16),
            () -> DatasetMerger.merge(List.of(prefix), output, OpenOptions.Modes.DETECT),
            () -> DatasetSplitter.head(prefix, output, 1),
            () -> DatasetSplitter.split(prefix, List.of(temporary.resolve("a"), output)))) {
      FileSystemException e = assertThrows(FileSystemException.class, operation);
      assertTrue(e.getMessage().contains("out.bin: cannot write"), e.getMessage());
    }
    Path none = temporary.resolve("none").resolve("out");
    FileSystemException e =
        assertThrows(FileSystemException.class, () -> DatasetSplitter.head(prefix, none, 1));
    assertTrue(e.getMessage().contains("its directory does not exist"), e.getMessage());
    assertEquals(before, names());
  }

  /** The hash is that of the whole file, whoever copied what. */
  @Test
  void hashesWhatWasTransferred() throws Exception {
    byte[] bytes = new byte[300_000];
    new Random(1).nextBytes(bytes);
    Path source = Files.write(temporary.resolve("source"), bytes);
    try (PendingFile file = PendingFile.create(temporary.resolve("copy"));
        FileChannel channel = FileChannel.open(source)) {
      file.put(bytes, 0, 1000);
      file.transferFrom(channel, 1000, 200_000);
      file.put(ByteBuffer.wrap(bytes, 201_000, 99_000));
      String expected =
          HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
      assertEquals(expected, file.sha256SoFar());
      assertEquals(expected, file.seal());
      assertEquals(-1, Files.mismatch(source, file.path()));
    }
    try (PendingFile file = PendingFile.create(temporary.resolve("copy"));
        FileChannel channel = FileChannel.open(source)) {
      assertThrows(EOFException.class, () -> file.transferFrom(channel, 299_000, 2000));
    }
  }

  /** With small chunks, every value meets every kind of chunk border. */
  @ParameterizedTest(name = "-Dtest.seed={0}")
  @MethodSource("seeds")
  void chunksAreInvisible(long seed) throws IOException {
    Random random = new Random(seed);
    byte[] bytes = new byte[1 + random.nextInt(300)];
    random.nextBytes(bytes);
    Path file = Files.write(temporary.resolve("bytes"), bytes);
    MappedFile mapped = MappedFile.open(file, 3 + random.nextInt(4));
    ByteBuffer expected = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i + 8 <= bytes.length; i++) {
      assertEquals(expected.getLong(i), mapped.getLong(i));
      assertEquals(expected.getInt(i), mapped.getInt(i));
      assertEquals(expected.get(i), mapped.getByte(i));
    }
    for (TokenType type : List.of(TokenType.UINT8, TokenType.INT16, TokenType.INT32)) {
      int offset = random.nextInt(Math.min(bytes.length, 9));
      int[] ids = new int[(bytes.length - offset) / type.bytes()];
      assertEquals(-1, type.decode(mapped, offset, ids, 0, ids.length));
      int[] reference = new int[ids.length];
      type.decode(expected, offset, reference, 0, ids.length);
      assertArrayEquals(reference, ids);
    }
  }
}
