package io.github.pretrain4j.dataset;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.pretrain4j.dataset.DatasetVerifier.Depth;
import io.github.pretrain4j.dataset.DatasetVerifier.Finding;
import io.github.pretrain4j.dataset.DatasetVerifier.Kind;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.jspecify.annotations.NullUnmarked;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** All findings at once, and what can be mended. */
@NullUnmarked // JUnit injects, and assertions check, what the compiler cannot see
class DatasetVerifierTest {
  private static final OpenOptions LENIENT = OpenOptions.defaults().withLenient(true);
  private static final int SEQUENCES = 6;
  private static final int[] LENGTHS = {3, 0, 5, 1, 2, 4};

  @TempDir Path temporary;
  private Path prefix;
  private Path index;
  private Path data;
  private byte[] indexBytes;
  private byte[] dataBytes;

  static LongStream seeds() {
    Long replay = Long.getLong("test.seed");
    return replay == null ? LongStream.range(0, 60) : LongStream.of(replay);
  }

  @BeforeEach
  void write() throws IOException {
    prefix = temporary.resolve("x");
    index = temporary.resolve("x.idx");
    data = temporary.resolve("x.bin");
    try (IndexedDatasetWriter writer = IndexedDatasetWriter.create(prefix, TokenType.INT32)) {
      int next = 0;
      for (int i = 0; i < SEQUENCES; i++) {
        int[] tokens = new int[LENGTHS[i]];
        for (int t = 0; t < tokens.length; t++) {
          tokens[t] = next++;
        }
        writer.addDocument(tokens, new int[] {tokens.length});
      }
      writer.finish();
    }
    indexBytes = Files.readAllBytes(index);
    dataBytes = Files.readAllBytes(data);
  }

  private ByteBuffer header() {
    return ByteBuffer.wrap(indexBytes).order(ByteOrder.LITTLE_ENDIAN);
  }

  private VerifyReport verify(Depth depth) throws IOException {
    Files.write(index, indexBytes);
    return new DatasetVerifier(DatasetVerifier.DEFAULT_LIMIT).verify(prefix, depth);
  }

  private static List<Kind> kinds(VerifyReport report) {
    return report.findings().stream().map(Finding::kind).toList();
  }

  private List<String> names() throws IOException {
    try (Stream<Path> files = Files.list(temporary)) {
      return files.map(file -> file.getFileName().toString()).sorted().toList();
    }
  }

  @ParameterizedTest
  @EnumSource(Depth.class)
  void nothingIsWrong(Depth depth) throws IOException {
    VerifyReport report = verify(depth);
    assertTrue(report.isClean());
    report.requireNone();
    assertEquals(SEQUENCES, report.sequenceCount());
    assertEquals(SEQUENCES, report.documentCount());
    assertEquals(15, report.tokenCount());
  }

  /** One of each kind that an index can have, all in one report, with their places. */
  @Test
  void listsEverythingThatIsWrong() throws IOException {
    IndexHeader at = new IndexHeader(TokenType.INT32, SEQUENCES, SEQUENCES + 1);
    ByteBuffer bytes = header();
    bytes.putLong((int) at.documentAt(0), 1); // not 0
    bytes.putLong((int) at.documentAt(3), 1); // decreases
    bytes.putLong((int) at.documentAt(SEQUENCES), 5); // not the end
    bytes.putInt((int) at.lengthAt(1), -7);
    bytes.putLong((int) at.pointerAt(2), 8); // 12
    Files.write(data, Arrays.copyOf(dataBytes, 61));
    VerifyReport report = verify(Depth.TOKENS);
    String found =
        report.findings().stream()
            .map(f -> f.kind() + " " + f.byteOffset() + " " + f.expected() + " " + f.found())
            .collect(Collectors.joining("\n"));
    assertEquals(
        Stream.of(
                "DOCUMENT " + at.documentAt(0) + " 0 1",
                "DOCUMENT " + at.documentAt(3) + " 2 to 6 1",
                "DOCUMENT " + at.documentAt(SEQUENCES) + " 6 5",
                "LENGTH " + at.lengthAt(1) + " 0 or more -7",
                "POINTER " + at.pointerAt(2) + " 12 8",
                "DATA_SIZE 60 60 bytes, as " + index + " says 61 bytes")
            .collect(Collectors.joining("\n")),
        found);
    assertEquals(6, report.findingCount());
    assertThrows(CorruptDatasetException.class, report::requireNone);
  }

  @Test
  void headersThatSayNothingAreOneFinding() throws IOException {
    indexBytes[0] = 'X';
    assertEquals(List.of(Kind.HEADER), kinds(verify(Depth.TOKENS)));
    indexBytes = new byte[0];
    assertEquals(List.of(Kind.HEADER), kinds(verify(Depth.TOKENS)));
    assertEquals(-1, verify(Depth.TOKENS).tokenCount());
    Files.delete(data);
    Files.delete(index);
    assertEquals(
        List.of(Kind.MISSING_FILE, Kind.MISSING_FILE),
        kinds(new DatasetVerifier(9).verify(prefix, Depth.ENDS)));
    Files.createDirectory(data);
    assertEquals(List.of(Kind.UNREADABLE_FILE), kinds(verifyOf(Depth.ENDS).subList(0, 1)));
  }

  private List<Finding> verifyOf(Depth depth) throws IOException {
    return new DatasetVerifier(9)
        .verify(prefix, depth).findings().stream()
            .filter(finding -> finding.kind() != Kind.MISSING_FILE)
            .toList();
  }

  private static List<Kind> kinds(List<Finding> findings) {
    return findings.stream().map(Finding::kind).toList();
  }

  @Test
  void tokensMustBeOfTheVocabulary() throws IOException {
    Files.write(index, indexBytes);
    VerifyReport report =
        new DatasetVerifier(3).withVocabularySize(10).verify(prefix, Depth.TOKENS);
    assertEquals(5, report.findingCount());
    assertEquals(3, report.findings().size());
    assertEquals(
        data + ": token 10 at byte 40: expected 0 to 9, found 10",
        report.findings().get(0).toString());
    assertTrue(
        new DatasetVerifier(3).withVocabularySize(15).verify(prefix, Depth.TOKENS).isClean());
    assertTrue(new DatasetVerifier(3).withVocabularySize(10).verify(prefix, Depth.INDEX).isClean());
    assertThrows(IllegalArgumentException.class, () -> new DatasetVerifier(0));
    assertThrows(
        IllegalArgumentException.class, () -> new DatasetVerifier(1).withVocabularySize(0));
  }

  @Test
  void elementsThatAreNoIdsAreAllListed() throws IOException {
    try (IndexedDatasetWriter writer = IndexedDatasetWriter.create(prefix, TokenType.FLOAT32)) {
      writer.addSequence(new double[] {1, 0.5, 2, Double.NaN, 3}, 0, 5);
      writer.endDocument();
      writer.finish();
    }
    List<Finding> findings = new DatasetVerifier(9).verify(prefix, Depth.TOKENS).findings();
    assertEquals(List.of(4L, 12L), findings.stream().map(Finding::byteOffset).toList());
  }

  @Test
  void modesAreExpectedOrNot() throws IOException {
    DatasetVerifier verifier = new DatasetVerifier(9);
    assertEquals(
        List.of(Kind.INDEX_SIZE),
        kinds(verifier.withModes(OpenOptions.Modes.REQUIRE).verify(prefix, Depth.ENDS)));
    Files.write(index, Arrays.copyOf(indexBytes, indexBytes.length + SEQUENCES));
    assertTrue(verifier.verify(prefix, Depth.TOKENS).isClean());
    assertEquals(
        List.of(Kind.INDEX_SIZE),
        kinds(verifier.withModes(OpenOptions.Modes.REFUSE).verify(prefix, Depth.ENDS)));
  }

  /** At every depth, whatever is done to a file gives findings or leaves a right dataset. */
  @ParameterizedTest(name = "-Dtest.seed={0}")
  @MethodSource("seeds")
  void neverThrowsForADamagedDataset(long seed) throws IOException {
    Random random = new Random(seed);
    // A byte more for each sequence would be their modes.
    DatasetVerifier verifier = new DatasetVerifier(5).withModes(OpenOptions.Modes.REFUSE);
    for (Damage damage : Damage.values()) {
      Files.write(data, dataBytes);
      Files.write(index, damage.apply(indexBytes, random));
      for (Depth depth : Depth.values()) {
        assertFalse(verifier.verify(prefix, depth).isClean(), damage::name);
      }
      Files.write(index, indexBytes);
      Files.write(data, damage.apply(dataBytes, random));
      if (damage != Damage.ZEROED) {
        for (Depth depth : Depth.values()) {
          assertFalse(verifier.verify(prefix, depth).isClean(), damage::name);
        }
      }
    }
    Files.write(data, dataBytes);
    byte[] flipped = indexBytes.clone();
    for (int n = random.nextInt(4); n >= 0; n--) {
      flipped[random.nextInt(flipped.length)] ^= (byte) (1 << random.nextInt(8));
    }
    Files.write(index, flipped);
    for (Depth depth : Depth.values()) {
      verifier.verify(prefix, depth);
    }
  }

  @Test
  void aTornTailIsCutOff() throws IOException {
    byte[] torn = Arrays.copyOf(dataBytes, dataBytes.length + 7);
    Files.write(data, torn);
    assertThrows(CorruptDatasetException.class, () -> IndexedDataset.open(prefix));
    try (IndexedDataset dataset = IndexedDataset.open(prefix, LENIENT)) {
      dataset.verify();
      assertEquals(15, dataset.tokenCount());
      assertArrayEquals(new int[] {11, 12, 13, 14}, dataset.sequence(5));
    }
    List<DatasetRepair.Repair> planned = DatasetRepair.plan(prefix, OpenOptions.Modes.DETECT);
    assertArrayEquals(torn, Files.readAllBytes(data));
    List<DatasetRepair.Repair> done = DatasetRepair.repair(prefix, OpenOptions.Modes.DETECT);
    assertEquals(planned, done);
    assertEquals(
        List.of(data + ": at byte 60: now the end, was 7 bytes of no sequence"),
        done.stream().map(DatasetRepair.Repair::toString).toList());
    assertArrayEquals(dataBytes, Files.readAllBytes(data));
    assertArrayEquals(indexBytes, Files.readAllBytes(index));
    assertEquals(List.of("x.bin", "x.idx"), names());
    assertEquals(List.of(), DatasetRepair.repair(prefix, OpenOptions.Modes.DETECT));
  }

  /** Pointers summed in 32 bits turn negative; lengths and tokens are as good as ever. */
  @Test
  void pointersAreMadeAnew() throws IOException {
    byte[] good = indexBytes.clone();
    IndexHeader at = new IndexHeader(TokenType.INT32, SEQUENCES, SEQUENCES + 1);
    header().putLong((int) at.pointerAt(4), Integer.MIN_VALUE);
    header().putLong((int) at.pointerAt(5), Integer.MIN_VALUE + 8L);
    Files.write(index, indexBytes);
    assertThrows(CorruptDatasetException.class, () -> IndexedDataset.open(prefix));
    try (IndexedDataset dataset = IndexedDataset.open(prefix, LENIENT)) {
      assertArrayEquals(new int[] {9, 10}, dataset.sequence(4));
      assertArrayEquals(new int[] {11, 12, 13, 14}, dataset.document(5).toArray());
    }
    List<DatasetRepair.Repair> done = DatasetRepair.repair(prefix, OpenOptions.Modes.DETECT);
    assertEquals(1, done.size());
    assertEquals(DatasetRepair.Kind.MADE_POINTERS, done.get(0).kind());
    assertEquals(at.pointerAt(4), done.get(0).byteOffset());
    assertTrue(done.get(0).toString().endsWith("2 pointers were wrong"), done.toString());
    assertArrayEquals(good, Files.readAllBytes(index));
  }

  @Test
  void bytesBehindTheArraysAreCutOffWhereTheyCannotBeModes() throws IOException {
    Files.write(index, Arrays.copyOf(indexBytes, indexBytes.length + 3));
    try (IndexedDataset dataset = IndexedDataset.open(prefix, LENIENT)) {
      assertEquals(SEQUENCES, dataset.documentCount());
    }
    assertEquals(
        DatasetRepair.Kind.CUT_INDEX,
        DatasetRepair.repair(prefix, OpenOptions.Modes.DETECT).get(0).kind());
    assertArrayEquals(indexBytes, Files.readAllBytes(index));
    byte[] long8 = Arrays.copyOf(indexBytes, indexBytes.length + 8);
    Files.write(index, long8);
    assertThrows(
        CorruptDatasetException.class,
        () -> DatasetRepair.repair(prefix, OpenOptions.Modes.DETECT));
    assertArrayEquals(long8, Files.readAllBytes(index));
    DatasetRepair.repair(prefix, OpenOptions.Modes.REQUIRE);
    assertEquals(indexBytes.length + SEQUENCES, Files.size(index));
  }

  @Test
  void whatCannotBeKnownAgainIsNotRepaired() throws IOException {
    Files.write(data, Arrays.copyOf(dataBytes, 59));
    assertThrows(CorruptDatasetException.class, () -> IndexedDataset.open(prefix, LENIENT));
    assertThrows(
        CorruptDatasetException.class,
        () -> DatasetRepair.repair(prefix, OpenOptions.Modes.DETECT));
    Files.write(data, Arrays.copyOf(dataBytes, 99));
    IndexHeader at = new IndexHeader(TokenType.INT32, SEQUENCES, SEQUENCES + 1);
    header().putInt((int) at.lengthAt(3), -1);
    Files.write(index, indexBytes);
    assertThrows(
        CorruptDatasetException.class,
        () -> DatasetRepair.repair(prefix, OpenOptions.Modes.DETECT));
    assertEquals(99, Files.size(data));
    assertEquals(List.of("x.bin", "x.idx"), names());
  }

  /** Whatever the damage, a repair is refused or gives a dataset that verifies. */
  @ParameterizedTest(name = "-Dtest.seed={0}")
  @MethodSource("seeds")
  void aRepairedDatasetVerifies(long seed) throws IOException {
    Random random = new Random(seed);
    byte[] damaged = indexBytes.clone();
    for (int n = random.nextInt(3); n >= 0; n--) {
      damaged[18 + random.nextInt(damaged.length - 18)] ^= (byte) (1 << random.nextInt(8));
    }
    Files.write(index, damaged);
    Files.write(data, Arrays.copyOf(dataBytes, dataBytes.length + random.nextInt(20)));
    try {
      DatasetRepair.repair(prefix, OpenOptions.Modes.DETECT);
    } catch (CorruptDatasetException e) {
      assertArrayEquals(damaged, Files.readAllBytes(index));
      return;
    }
    assertTrue(new DatasetVerifier(5).verify(prefix, Depth.TOKENS).isClean());
  }
}
