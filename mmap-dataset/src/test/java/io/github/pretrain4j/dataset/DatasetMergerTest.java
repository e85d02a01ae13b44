package io.github.pretrain4j.dataset;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.pretrain4j.dataset.storage.FileCommit;
import io.github.pretrain4j.dataset.storage.PendingFile;
import java.io.IOException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalInt;
import java.util.Random;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.jspecify.annotations.NullUnmarked;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Merging, splitting, taking the head and counting. */
@NullUnmarked // JUnit injects, and assertions check, what the compiler cannot see
class DatasetMergerTest {
  private static final OpenOptions.Modes DETECT = OpenOptions.Modes.DETECT;

  @TempDir Path temporary;

  static LongStream seeds() {
    Long replay = Long.getLong("test.seed");
    return replay == null ? LongStream.range(0, 25) : LongStream.of(replay);
  }

  private Path at(String name) {
    return temporary.resolve(name);
  }

  private static void assertSameBytes(Path expected, Path found) throws IOException {
    for (String suffix : List.of(".bin", ".idx")) {
      assertEquals(
          -1,
          Files.mismatch(Path.of(expected + suffix), Path.of(found + suffix)),
          () -> expected + suffix + " and " + found + suffix);
    }
  }

  private List<String> names() throws IOException {
    try (Stream<Path> files = Files.list(temporary)) {
      return files.map(file -> file.getFileName().toString()).sorted().toList();
    }
  }

  private static void random(IndexedDatasetWriter writer, Random random, int documents)
      throws IOException {
    for (int d = 0; d < documents; d++) {
      int sequences = random.nextInt(4);
      int[] lengths = random.ints(sequences, 0, 30).toArray();
      int total = 0;
      for (int length : lengths) {
        total += length;
      }
      byte[] modes = new byte[sequences];
      random.nextBytes(modes);
      int[] tokens = random.ints(total, 0, 200).toArray();
      writer.addDocument(tokens, lengths, writer.isMultimodal() ? modes : null);
    }
  }

  /** What merge_datasets.py of the reference made of copies in one directory. */
  @Test
  void mergesAsMegatron() throws IOException {
    Path shared = Golden.shared();
    if (shared == null) {
      return; // the parts are too large to come with the module; see the next test
    }
    Path input = Files.createDirectory(at("in"));
    for (String part : List.of("sp_eod_head", "part2_eod_head", "sp2_eod_head")) {
      for (String suffix : List.of(".bin", ".idx")) {
        String name = part + "_text_document" + suffix;
        Files.copy(shared.resolve("data").resolve(name), input.resolve(name));
      }
    }
    List<Path> prefixes = DatasetMerger.prefixesIn(input);
    DatasetMerger.merge(prefixes, at("merged"), DETECT);
    assertSameBytes(shared.resolve("data").resolve("merged_text_document"), at("merged"));
  }

  /** Parts and result of the format's description, empty documents included. */
  @Test
  void mergesTheDescriptionsExample() throws IOException {
    int[][][] documents = {{{7, 8}, {1, 1}}, {{9}, {1}}, {{1, 2, 3}, {3}}, {{}, {}}, {{}, {}}};
    int[] partOf = {0, 0, 1, 1, 2};
    for (int part = 0; part < 3; part++) {
      try (IndexedDatasetWriter writer =
          IndexedDatasetWriter.create(at("part" + part), TokenType.UINT16)) {
        for (int d = 0; d < documents.length; d++) {
          if (partOf[d] == part) {
            writer.addDocument(documents[d][0], documents[d][1]);
          }
        }
        writer.finish();
      }
    }
    DatasetMerger.merge(List.of(at("part0"), at("part1"), at("part2")), at("m"), DETECT);
    try (IndexedDataset merged = IndexedDataset.open(at("m"))) {
      merged.verify();
      assertArrayEquals(new int[] {1, 1, 1, 3}, merged.sequenceLengths(0, 4));
      long[] firsts = {0, 2, 3, 4, 4, 4};
      for (int d = 0; d < firsts.length; d++) {
        assertEquals(firsts[d], merged.firstSequence(d));
      }
      assertArrayEquals(new int[] {7, 8, 9, 1, 2, 3}, merged.span(0, 4).toArray());
    }
  }

  @ParameterizedTest(name = "-Dtest.seed={0}")
  @MethodSource("seeds")
  void mergedPartsAreTheWholeAgain(long seed) throws IOException {
    Random random = new Random(seed);
    List<TokenType> types = List.of(TokenType.UINT8, TokenType.UINT16, TokenType.INT64);
    TokenType type = types.get(random.nextInt(types.size()));
    boolean multimodal = random.nextBoolean();
    int documents = random.nextInt(60);
    try (IndexedDatasetWriter writer =
        multimodal
            ? IndexedDatasetWriter.createMultimodal(at("whole"), type)
            : IndexedDatasetWriter.create(at("whole"), type)) {
      random(writer, random, documents);
      writer.finish();
    }
    int parts = 1 + random.nextInt(6);
    List<Path> outputs = new ArrayList<>();
    for (int i = 0; i < parts; i++) {
      outputs.add(at("part" + i));
    }
    if (random.nextBoolean()) {
      DatasetSplitter.split(at("whole"), outputs);
    } else {
      double[] shares = random.doubles(parts).toArray();
      shares[0] = 1;
      DatasetSplitter.split(at("whole"), outputs, shares);
    }
    DatasetMerger.merge(outputs, at("again"), DETECT);
    assertSameBytes(at("whole"), at("again"));
    DatasetMerger.merge(
        outputs, at("part0"), multimodal ? OpenOptions.Modes.REQUIRE : OpenOptions.Modes.REFUSE);
    assertSameBytes(at("whole"), at("part0"));

    int wanted = random.nextInt(documents + 2);
    DatasetSplitter.head(at("whole"), at("head"), wanted);
    try (IndexedDataset whole = IndexedDataset.open(at("whole"));
        IndexedDataset head = IndexedDataset.open(at("head"))) {
      head.verify();
      assertEquals(Math.min(wanted, documents), head.documentCount());
      for (long d = 0; d < head.documentCount(); d++) {
        assertArrayEquals(whole.document(d).toArray(), head.document(d).toArray());
      }
      for (long s = 0; s < head.sequenceCount() && multimodal; s++) {
        assertEquals(whole.mode(s), head.mode(s));
      }
    }
  }

  @Test
  void equalPartsDifferByOneDocumentAtMost() throws IOException {
    try (IndexedDatasetWriter writer = IndexedDatasetWriter.create(at("w"), TokenType.UINT16)) {
      random(writer, new Random(1), 23);
      writer.finish();
    }
    List<Path> outputs = List.of(at("a"), at("b"), at("c"), at("d"), at("e"));
    DatasetSplitter.split(at("w"), outputs);
    long total = 0;
    for (Path output : outputs) {
      try (IndexedDataset part = IndexedDataset.open(output)) {
        assertTrue(part.documentCount() == 4 || part.documentCount() == 5);
        total += part.documentCount();
      }
    }
    assertEquals(23, total);
    assertThrows(IllegalArgumentException.class, () -> DatasetSplitter.split(at("w"), List.of()));
    for (double[] shares : new double[][] {{1}, {0, 0}, {-1, 2}, {Double.NaN, 1}}) {
      assertThrows(
          IllegalArgumentException.class,
          () -> DatasetSplitter.split(at("w"), List.of(at("x"), at("y")), shares));
    }
    assertThrows(IllegalArgumentException.class, () -> DatasetSplitter.head(at("w"), at("x"), -1));
  }

  @Test
  void refusesWhatDoesNotGoTogetherAndLeavesTheOldOutput() throws IOException {
    for (TokenType type : List.of(TokenType.UINT16, TokenType.INT32)) {
      try (IndexedDatasetWriter writer = IndexedDatasetWriter.create(at(type.name()), type)) {
        random(writer, new Random(3), 9);
        writer.finish();
      }
    }
    try (IndexedDatasetWriter writer =
        IndexedDatasetWriter.createMultimodal(at("modes"), TokenType.INT32)) {
      random(writer, new Random(4), 9);
      writer.finish();
    }
    Files.writeString(at("out.bin"), "old");
    Files.writeString(at("out.idx"), "old");
    List<String> before = names();
    List<Path> types = List.of(at("UINT16"), at("INT32"));
    IllegalArgumentException e =
        assertThrows(
            IllegalArgumentException.class, () -> DatasetMerger.merge(types, at("out"), DETECT));
    assertTrue(e.getMessage().contains("INT32 has INT32 tokens"), e.getMessage());
    List<Path> modes = List.of(at("modes"), at("INT32"));
    assertThrows(
        IllegalArgumentException.class, () -> DatasetMerger.merge(modes, at("out"), DETECT));
    assertThrows(
        CorruptDatasetException.class,
        () -> DatasetMerger.merge(modes, at("out"), OpenOptions.Modes.REQUIRE));
    assertThrows(
        IllegalArgumentException.class, () -> DatasetMerger.merge(List.of(), at("out"), DETECT));
    assertThrows(
        NoSuchFileException.class,
        () -> DatasetMerger.merge(List.of(at("UINT16"), at("none")), at("out"), DETECT));
    assertEquals(before, names());
    assertEquals("old", Files.readString(at("out.bin")));
  }

  /** Every damage of the second source is an error, or makes no difference to what is merged. */
  @ParameterizedTest(name = "-Dtest.seed={0}")
  @MethodSource("seeds")
  void aDamagedSourceIsNotMerged(long seed) throws IOException {
    Random random = new Random(seed);
    for (String name : List.of("a", "b")) {
      try (IndexedDatasetWriter writer = IndexedDatasetWriter.create(at(name), TokenType.UINT16)) {
        random(writer, random, 12);
        writer.finish();
      }
    }
    List<Path> sources = List.of(at("a"), at("b"));
    DatasetMerger.merge(sources, at("good"), DETECT);
    byte[] index = Files.readAllBytes(at("b.idx"));
    for (int n = 0; n < 20; n++) {
      byte[] damaged = index.clone();
      damaged[random.nextInt(index.length)] ^= (byte) (1 << random.nextInt(8));
      Files.write(at("b.idx"), damaged);
      try {
        DatasetMerger.merge(sources, at("out"), DETECT);
      } catch (CorruptDatasetException | IllegalArgumentException e) {
        continue; // another type code of the same size differs from the first source's
      }
      // A border between documents may have moved; nothing else can.
      byte[] good = Files.readAllBytes(at("good.bin"));
      assertArrayEquals(good, Files.readAllBytes(at("out.bin")));
    }
    for (Damage damage : Damage.values()) {
      Files.write(at("b.idx"), damage.apply(index, random));
      assertThrows(
          CorruptDatasetException.class, () -> DatasetMerger.merge(sources, at("x"), DETECT));
    }
    assertTrue(names().stream().noneMatch(name -> name.startsWith("x")), names()::toString);
  }

  @Test
  void takesADirectoryAsMegatronDoes() throws IOException {
    Path in = Files.createDirectory(at("in"));
    Files.createDirectory(in.resolve("folder.idx"));
    // U+FF5E sorts after U+1F600 by UTF-16 units, before it by code points.
    for (String name : List.of("a", "B", "x_10", "x_2", "d.o.t", "\uFF5E", "\uD83D\uDE00")) {
      Files.createFile(in.resolve(name + ".bin"));
      Files.createFile(in.resolve(name + ".idx"));
    }
    Files.createFile(in.resolve("a.meta.json"));
    assertEquals(
        List.of("B", "a", "d.o.t", "x_10", "x_2", "\uFF5E", "\uD83D\uDE00"),
        DatasetMerger.prefixesIn(in).stream().map(p -> p.getFileName().toString()).toList());
    for (String stray : List.of("README", "c.bin", "d.idx", "e.meta.json", ".idx")) {
      Path file = Files.createFile(in.resolve(stray));
      FileSystemException e =
          assertThrows(FileSystemException.class, () -> DatasetMerger.prefixesIn(in));
      assertTrue(e.getMessage().contains(file + ": is no half of a dataset"), e.getMessage());
      Files.delete(file);
    }
  }

  private void sidecar(String name, String tokenizerHash) throws IOException {
    try (IndexedDataset dataset = IndexedDataset.open(at(name));
        PendingFile file = PendingFile.create(DatasetMetadata.file(at(name)))) {
      long half = dataset.documentCount() / 2;
      new DatasetMetadata(
              "test 1",
              new TokenizerIdentity("SentencePieceTokenizer", "m", tokenizerHash, 200, 2),
              "text",
              "document",
              true,
              dataset.tokenType(),
              dataset.documentCount(),
              dataset.sequenceCount(),
              dataset.tokenCount(),
              List.of(
                  new DatasetMetadata.Source(name + "1", 5, "0".repeat(64), half),
                  new DatasetMetadata.Source(
                      name + "2", 6, "1".repeat(64), dataset.documentCount() - half)))
          .write(file);
      file.seal();
      FileCommit.replace(List.of(file));
    }
  }

  @Test
  void sidecarsGoAlong() throws IOException {
    for (String name : List.of("a", "b")) {
      try (IndexedDatasetWriter writer = IndexedDatasetWriter.create(at(name), TokenType.UINT16)) {
        random(writer, new Random(5), 11);
        writer.finish();
      }
      sidecar(name, "2".repeat(64));
    }
    DatasetMerger.merge(List.of(at("a"), at("b")), at("m"), DETECT);
    DatasetMetadata merged = DatasetMetadata.read(at("m")).orElseThrow();
    assertEquals(22, merged.documents());
    List<Path> parts = List.of(at("p0"), at("p1"), at("p2"));
    DatasetSplitter.split(at("m"), parts);
    DatasetMerger.merge(parts, at("again"), DETECT);
    assertEquals(merged, DatasetMetadata.read(at("again")).orElseThrow());
    DatasetSplitter.head(at("m"), at("h"), 6);
    DatasetMetadata head = DatasetMetadata.read(at("h")).orElseThrow();
    assertEquals(
        List.of("a1:5", "a2:1"),
        head.sources().stream().map(s -> s.name() + ":" + s.documents()).toList());

    sidecar("b", "3".repeat(64));
    assertThrows(
        IllegalArgumentException.class,
        () -> DatasetMerger.merge(List.of(at("a"), at("b")), at("m"), DETECT));
    Files.delete(at("b.meta.json"));
    DatasetMerger.merge(List.of(at("a"), at("b")), at("m"), DETECT);
    assertTrue(DatasetMetadata.read(at("m")).isEmpty());
    Files.copy(at("a.meta.json"), at("m.meta.json")); // speaks of another dataset
    assertThrows(CorruptDatasetException.class, () -> DatasetSplitter.head(at("m"), at("h"), 6));
  }

  @ParameterizedTest(name = "-Dtest.seed={0}")
  @MethodSource("seeds")
  void countsExactly(long seed) throws IOException {
    Random random = new Random(seed);
    int count = 1 + random.nextInt(300);
    int[] lengths = random.ints(count, 0, seed % 5 == 0 ? 70_000 : 50).toArray();
    long empty = 0;
    long[] uses = new long[100];
    long outside = 0;
    try (IndexedDatasetWriter writer = IndexedDatasetWriter.create(at("x"), TokenType.UINT8)) {
      for (int length : lengths) {
        int[] tokens = random.ints(length, 0, 102).toArray();
        for (int token : tokens) {
          if (token < 100) {
            uses[token]++;
          } else {
            outside++;
          }
        }
        writer.addDocument(tokens, new int[] {length});
        if (random.nextInt(10) == 0) {
          writer.endDocument();
          empty++;
        }
      }
      writer.finish();
    }
    try (IndexedDataset dataset = IndexedDataset.open(at("x"))) {
      DatasetStatistics statistics = DatasetStatistics.of(dataset, OptionalInt.of(100));
      Arrays.sort(lengths);
      assertEquals(empty, statistics.emptyDocuments());
      assertEquals(count + empty, statistics.documents());
      assertEquals(
          new DatasetStatistics.Lengths(
              lengths[0],
              Arrays.stream(lengths).asLongStream().sum() / (double) count,
              lengths[(count * 50 + 99) / 100 - 1],
              lengths[(count * 95 + 99) / 100 - 1],
              lengths[(count * 99 + 99) / 100 - 1],
              lengths[count - 1]),
          statistics.sequenceLengths());
      int most = 0;
      long used = 0;
      for (int id = 0; id < 100; id++) {
        most = uses[id] > uses[most] ? id : most;
        used += uses[id] > 0 ? 1 : 0;
      }
      DatasetStatistics.VocabularyUse use = statistics.vocabulary();
      assertEquals(
          new DatasetStatistics.VocabularyUse(
              100, used, outside, used == 0 ? -1 : most, uses[most]),
          use);
    }
  }
}
