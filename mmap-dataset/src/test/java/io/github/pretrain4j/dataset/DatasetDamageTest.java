package io.github.pretrain4j.dataset;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.LongStream;
import org.jspecify.annotations.NullUnmarked;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Every damage of a dataset is an error when it is opened, verified or read; never other tokens.
 */
@NullUnmarked // JUnit injects, and assertions check, what the compiler cannot see
class DatasetDamageTest {
  private static final int SEQUENCES = 12;

  @TempDir Path temporary;
  private Path prefix;
  private Path index;
  private Path data;
  private final List<int[]> sequences = new ArrayList<>();

  static LongStream seeds() {
    Long replay = Long.getLong("test.seed");
    return replay == null ? LongStream.range(0, 40) : LongStream.of(replay);
  }

  @BeforeEach
  void write() throws IOException {
    prefix = temporary.resolve("x");
    index = temporary.resolve("x.idx");
    data = temporary.resolve("x.bin");
    write(prefix, 1);
  }

  private void write(Path at, long seed) throws IOException {
    Random random = new Random(seed);
    sequences.clear();
    try (IndexedDatasetWriter writer = IndexedDatasetWriter.create(at, TokenType.UINT16)) {
      for (int i = 0; i < SEQUENCES; i++) {
        int[] tokens = random.ints(random.nextInt(20), 0, 60_000).toArray();
        sequences.add(tokens);
        writer.addSequence(tokens, 0, tokens.length);
        if (random.nextBoolean() || i == SEQUENCES - 1) {
          writer.endDocument();
        }
      }
      writer.finish();
    }
  }

  private void openAndVerify() throws IOException {
    try (IndexedDataset dataset = IndexedDataset.open(prefix)) {
      dataset.verify();
    }
  }

  @Test
  void missing() throws IOException {
    byte[] bytes = Files.readAllBytes(data);
    Files.delete(data);
    NoSuchFileException e = assertThrows(NoSuchFileException.class, this::openAndVerify);
    assertEquals(data + ": no such file", e.getMessage());
    Files.write(data, bytes);
    Files.delete(index);
    assertThrows(NoSuchFileException.class, this::openAndVerify);
  }

  @ParameterizedTest
  @EnumSource(Damage.class)
  void indexDamaged(Damage damage) throws IOException {
    byte[] bytes = Files.readAllBytes(index);
    for (long seed = 0; seed < 50; seed++) {
      Files.write(index, damage.apply(bytes, new Random(seed)));
      CorruptDatasetException e =
          assertThrows(CorruptDatasetException.class, () -> IndexedDataset.open(prefix));
      assertEquals(index, e.file());
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = Damage.class,
      mode = EnumSource.Mode.EXCLUDE,
      names = "ZEROED") // zeros are tokens
  void dataDamaged(Damage damage) throws IOException {
    byte[] bytes = Files.readAllBytes(data);
    for (long seed = 0; seed < 50; seed++) {
      Files.write(data, damage.apply(bytes, new Random(seed)));
      assertThrows(CorruptDatasetException.class, () -> IndexedDataset.open(prefix));
    }
  }

  @Test
  void mismatchedPair() throws IOException {
    byte[] other = Files.readAllBytes(data);
    write(prefix, 2);
    Files.write(data, other);
    CorruptDatasetException e =
        assertThrows(CorruptDatasetException.class, () -> IndexedDataset.open(prefix));
    assertTrue(e.getMessage().contains(data.toString()), e.getMessage());
  }

  /**
   * Each bit of the index, one at a time. Two of them the format cannot tell: int16 is as long as
   * uint16, and a boundary between two documents may be moved as long as the entries do not
   * decrease; no sequence is another one for that.
   */
  @Test
  void indexBitFlipped() throws IOException {
    byte[] bytes = Files.readAllBytes(index);
    for (int bit = 0; bit < 8 * bytes.length; bit++) {
      byte[] damaged = bytes.clone();
      damaged[bit / 8] ^= (byte) (1 << (bit % 8));
      Files.write(index, damaged);
      boolean sameSizeType = bit / 8 == 17 && damaged[17] == TokenType.INT16.code();
      boolean boundary = bit / 8 >= 34 + 12 * sequences.size() + 8 && bit / 8 < bytes.length - 8;
      if (boundary) {
        verifyAsWritten();
      } else if (!sameSizeType) {
        assertThrows(CorruptDatasetException.class, this::openAndVerify, "bit " + bit);
      }
    }
  }

  /** Opens and verifies; if that finds no damage, all sequences are those written. */
  private void verifyAsWritten() throws IOException {
    try (IndexedDataset dataset = IndexedDataset.open(prefix)) {
      dataset.verify();
      for (int i = 0; i < sequences.size(); i++) {
        assertArrayEquals(sequences.get(i), dataset.sequence(i));
      }
    } catch (CorruptDatasetException e) {
      assertTrue(e.what().startsWith("first sequence of document "), e.what());
    }
  }

  /** Without verify too, a damaged index gives the right tokens or an error. */
  @ParameterizedTest(name = "-Dtest.seed={0}")
  @MethodSource("seeds")
  void readsRightTokensOrNone(long seed) throws IOException {
    Random random = new Random(seed);
    byte[] damaged = Files.readAllBytes(index);
    int flips = 1 + random.nextInt(3);
    for (int i = 0; i < flips; i++) {
      damaged[18 + random.nextInt(damaged.length - 18)] ^= (byte) (1 << random.nextInt(8));
    }
    Files.write(index, damaged);
    try (IndexedDataset dataset = IndexedDataset.open(prefix)) {
      for (int i = 0; i < sequences.size(); i++) {
        int[] tokens;
        try {
          tokens = dataset.sequence(i);
        } catch (CorruptDatasetException e) {
          continue;
        }
        if (!Arrays.equals(sequences.get(i), tokens)) {
          fail("sequence " + i + " became another one");
        }
      }
    } catch (CorruptDatasetException e) {
      assertEquals(index, e.file().equals(data) ? index : e.file());
    }
  }

  @Test
  void namesTheFieldAndThePlace() throws IOException {
    byte[] bytes = Files.readAllBytes(index);
    bytes[9] = 7;
    Files.write(index, bytes);
    CorruptDatasetException e = assertThrows(CorruptDatasetException.class, this::openAndVerify);
    assertEquals(index + ": version at byte 9: expected 1, found 7", e.getMessage());
    assertEquals("version", e.what());
    assertEquals("1", e.expected());
    assertEquals("7", e.found());
    Files.write(
        index, "TNTIDX\0\0 and more than thirty-four bytes".getBytes(StandardCharsets.UTF_8));
    e = assertThrows(CorruptDatasetException.class, this::openAndVerify);
    assertEquals("the obsolete TNTIDX format", e.found());
  }
}
