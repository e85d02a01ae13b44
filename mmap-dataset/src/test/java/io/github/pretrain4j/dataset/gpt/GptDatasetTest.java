package io.github.pretrain4j.dataset.gpt;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.pretrain4j.dataset.CorruptDatasetException;
import io.github.pretrain4j.dataset.Damage;
import io.github.pretrain4j.dataset.IndexedDatasetWriter;
import io.github.pretrain4j.dataset.TokenType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.function.IntBinaryOperator;
import java.util.function.IntUnaryOperator;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.jspecify.annotations.NullUnmarked;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

@NullUnmarked // JUnit injects, and assertions check, what the compiler cannot see
class GptDatasetTest {
  @TempDir Path temporary;

  static LongStream seeds() {
    Long replay = Long.getLong("test.seed");
    return replay == null ? LongStream.range(0, 30) : LongStream.of(replay);
  }

  private Path write(String name, int count, IntUnaryOperator length, IntBinaryOperator token)
      throws IOException {
    Path prefix = temporary.resolve(name);
    try (IndexedDatasetWriter writer = IndexedDatasetWriter.create(prefix, TokenType.UINT16)) {
      for (int i = 0; i < count; i++) {
        int sequence = i;
        int[] tokens =
            IntStream.range(0, length.applyAsInt(i))
                .map(k -> token.applyAsInt(sequence, k))
                .toArray();
        writer.addSequence(tokens, 0, tokens.length);
        writer.endDocument();
      }
      writer.finish();
    }
    return prefix;
  }

  private void corpusA() throws IOException {
    write("A_text_document", 20, i -> 3 + 7 * i % 11, (i, k) -> (31 * i + k) % 900);
  }

  private void corpusB() throws IOException {
    write("B_text_document", 15, i -> 5 + 3 * i % 7, (i, k) -> (500 + 17 * i + k) % 900);
  }

  private static String md5(Path file) throws IOException, GeneralSecurityException {
    return HexFormat.of()
        .formatHex(MessageDigest.getInstance("MD5").digest(Files.readAllBytes(file)));
  }

  private GptDataset.Splits build(
      String path, String split, boolean extra, boolean dropLast, long... samples)
      throws IOException {
    GptDatasetConfig config =
        GptDatasetConfig.of(1234, 8, split)
            .withCache(temporary.resolve("cache"), TokenizerDescription.nullTokenizer(1000))
            .withEnds(-1, extra, dropLast);
    return GptDataset.build(temporary::resolve, new String[] {path, path, path}, config, samples);
  }

  private void assertCache(String hash, String split, String... md5OfArrays)
      throws IOException, GeneralSecurityException {
    List<String> found = new ArrayList<>();
    for (String array : List.of("document", "sample", "shuffle")) {
      found.add(
          md5(
              temporary
                  .resolve("cache")
                  .resolve(hash + "-GPTDataset-" + split + "-" + array + "_index.npy")));
    }
    assertEquals(List.of(md5OfArrays), found);
  }

  /** Several epochs, the last one shuffled by itself. */
  @Test
  void vectorOfThreeEpochs() throws IOException, GeneralSecurityException {
    corpusA();
    assertEquals("05627e7786d8263cd2ca9fd0c3eb3773", md5(temporary.resolve("A_text_document.bin")));
    assertEquals("017242e662092334ca381b2292ee2e69", md5(temporary.resolve("A_text_document.idx")));
    try (GptDataset.Splits splits = build("A_text_document", "80,10,10", true, true, 40, 3, 2)) {
      GptDataset train = splits.train();
      assertNotNull(train);
      assertEquals(48, train.size());
      assertEquals(581, train.description().length());
      GptSample sample = train.sample(39);
      assertArrayEquals(new int[] {192, 193, 194, 195, 196, 197, 279, 280}, sample.tokens());
      assertArrayEquals(new int[] {193, 194, 195, 196, 197, 279, 280, 281}, sample.labels());
    }
    assertCache(
        "377baab803120f50f0b6c451391e403e",
        "train",
        "684f7e9c0c34a2b33513d417b8e44705",
        "84df47899231046f6ad0c046696f26cd",
        "6f194c14729047c2b67633b3b0c27e56");
    assertCache(
        "be5acbc602fc00c80ad4b1ffa9d2ce82",
        "valid",
        "26a279ebd1f06bee59e0d2b7bc644b98",
        "56c4ce4ae8be358327099922a35e420f",
        "c5fcdc5f315cb48d65c21dfe62a17ca8");
    assertCache(
        "4e1796c13d62f56bea5c5006bb840b6e",
        "test",
        "769173ad41ddf10856e2d365f0a14bfd",
        "a1c613924e73ef6ba8f18d775588e298",
        "ba6510672a6ace9a22b5772a36453881");
  }

  @Test
  void vectorsAroundTheLastEpochsRule() throws IOException, GeneralSecurityException {
    corpusA();
    build("A_text_document", "100,0,0", true, true, GptDataset.ONE_EPOCH, 0, 0).close();
    assertCache(
        "33066a57311ae70f09d68221bbc8c3a6",
        "train",
        "1ecdb6caeb8372d1f81be5dc28edafbd",
        "202a65307268d1f96e2566405f8f0614",
        "23f669e5be23a5762471a825c2b838af");
    build("A_text_document", "100,0,0", true, true, 38, 0, 0).close();
    assertCache(
        "8ab4e4b88c2d0548403e9a7c9f8e8e63",
        "train",
        "503435d9780cdc3204fff5d0c29f8014",
        "1c9078278bee92b0e46a160db22703b3",
        "e0175ff12939b1477cd0b8529823ba6b");
    build("A_text_document", "100,0,0", true, true, 30, 0, 0).close();
    assertCache(
        "a823118b381f442f5688e402463e5f2e",
        "train",
        "f042dce0777d4a67902ca3ad99e4e262",
        "d1adc555ca8f0e90dc1e58736cab34c3",
        "091f44e6428a2dcc8a0bd3689cd1f75d");
  }

  @Test
  void vectorsOfAPaddedLastSample() throws IOException, GeneralSecurityException {
    corpusB();
    for (boolean extra : new boolean[] {true, false}) {
      try (GptDataset.Splits splits =
          build("B_text_document", null, extra, false, GptDataset.ONE_EPOCH, -1, -1)) {
        GptDataset valid = splits.valid();
        assertNotNull(valid);
        assertEquals(15, valid.size());
        GptSample last = valid.sample(12);
        assertArrayEquals(new int[] {553, 554, 555, 556, 557, 0, 0, 0}, last.tokens());
        assertArrayEquals(new int[] {554, 555, 556, 557, 0, 0, 0, 0}, last.labels());
        assertArrayEquals(new float[] {1, 1, 1, 1, 0, 0, 0, 0}, last.lossMask());
      }
      assertCache(
          "9f3cb80576e3eb4a1c35165b96d7c7aa",
          "valid",
          "24082424379e5de8b767476740e163f8",
          extra ? "8c9b5210d73e295144f21be47c61ad12" : "384a0d9ac36af7241dd8f45c8013d583",
          "20e9977ff8627e6597230ec1e3076d74");
      try (Stream<Path> files = Files.list(temporary.resolve("cache"))) {
        for (Path file : files.toList()) {
          Files.delete(file); // both variants have one name
        }
      }
    }
  }

  @Test
  void masksAndPositionsFollowTheEod() throws IOException {
    int[] tokens = {5, 0, 7, 8, 0, 9, 1};
    Path prefix = write("m", 1, i -> tokens.length, (i, k) -> tokens[k]);
    GptDatasetConfig plain = GptDatasetConfig.of(1, 6, "1");
    try (GptDataset.Splits splits = GptDataset.build(prefix, plain, 1, 0, 0)) {
      GptSample sample = splits.train().sample(0);
      assertArrayEquals(new int[] {5, 0, 7, 8, 0, 9}, sample.tokens());
      assertArrayEquals(new int[] {0, 7, 8, 0, 9, 1}, sample.labels());
      assertArrayEquals(new float[] {1, 1, 1, 1, 1, 1}, sample.lossMask());
      assertArrayEquals(new int[] {0, 1, 2, 3, 4, 5}, sample.positionIds());
      assertArrayEquals(new int[6], sample.attentionStarts());
    }
    try (GptDataset.Splits splits =
        GptDataset.build(prefix, plain.withEod(0, true, true, true), 1, 0, 0)) {
      GptSample sample = splits.train().sample(0);
      assertArrayEquals(new float[] {1, 0, 1, 1, 0, 1}, sample.lossMask());
      assertArrayEquals(new int[] {0, 1, 0, 1, 2, 0}, sample.positionIds());
      assertArrayEquals(new int[] {0, 0, 2, 2, 2, 5}, sample.attentionStarts());
    }
  }

  /** Whatever the lengths: consecutive samples of one epoch tile the shuffled text. */
  @ParameterizedTest(name = "-Dtest.seed={0}")
  @MethodSource("seeds")
  void samplesTileTheText(long seed) throws IOException {
    Random random = new Random(seed);
    int count = 1 + random.nextInt(40);
    int[] lengths = IntStream.range(0, count).map(i -> random.nextInt(12)).toArray();
    lengths[0] = 30;
    Path prefix = write("r", count, i -> lengths[i], (i, k) -> 100 * i + k);
    int seqLength = 1 + random.nextInt(9);
    boolean extra = random.nextBoolean();
    long samples = random.nextInt(200);
    GptDatasetConfig config =
        GptDatasetConfig.of(seed, seqLength, "1,0,0")
            .withCache(temporary.resolve("cache"), TokenizerDescription.NONE)
            .withEnds(-1, extra, true);
    List<GptSample> first = new ArrayList<>();
    try (GptDataset.Splits splits = GptDataset.build(prefix, config, samples, 0, 0)) {
      assertNull(splits.valid());
      GptDataset train = splits.train();
      assertTrue(train.size() >= samples);
      int[] times = new int[100 * count + 100];
      for (long i = 0; i < train.size(); i++) {
        GptSample sample = train.sample(i);
        first.add(sample);
        for (int k = 0; k < seqLength; k++) {
          times[sample.tokens()[k]]++;
          if (extra && k > 0) {
            assertEquals(sample.tokens()[k], sample.labels()[k - 1]);
          }
        }
      }
      int tokens = Arrays.stream(lengths).sum();
      int epochs = (int) Math.max(1, (samples * seqLength + (extra ? 1 : 0) + tokens - 1) / tokens);
      for (int i = 0; i < count; i++) {
        for (int k = 0; k < lengths[i]; k++) {
          assertTrue(times[100 * i + k] <= epochs);
        }
      }
      assertEquals((epochs * (long) tokens - (extra ? 1 : 0)) / seqLength, train.size());
    }
    try (GptDataset.Splits again = GptDataset.build(prefix, config, samples, 0, 0)) {
      for (int i = 0; i < first.size(); i++) {
        assertArrayEquals(first.get(i).tokens(), again.train().sample(i).tokens());
        assertArrayEquals(first.get(i).labels(), again.train().sample(i).labels());
      }
    }
  }

  @Test
  void aSplitWithoutTokensIsAnErrorOnlyIfItIsNeeded() throws IOException {
    Path prefix = write("s", 10, i -> 5, (i, k) -> k);
    GptDatasetConfig config = GptDatasetConfig.of(1, 4, "969,30,1");
    try (GptDataset.Splits splits = GptDataset.build(prefix, config, 3, 0, 0)) {
      assertNotNull(splits.train());
      assertNull(splits.valid());
    }
    IllegalArgumentException e =
        assertThrows(
            IllegalArgumentException.class, () -> GptDataset.build(prefix, config, 3, 2, 0));
    assertTrue(e.getMessage().contains("the valid split of"), e.getMessage());
  }

  @ParameterizedTest
  @CsvSource({"description.txt", "document_index.npy", "sample_index.npy", "shuffle_index.npy"})
  void aDamagedCacheIsAnErrorNotAnotherOrder(String name) throws IOException {
    corpusA();
    List<GptSample> right = new ArrayList<>();
    try (GptDataset.Splits splits = build("A_text_document", "1", true, true, 60, 0, 0)) {
      for (int i = 0; i < splits.train().size(); i++) {
        right.add(splits.train().sample(i));
      }
    }
    Path file;
    try (Stream<Path> files = Files.list(temporary.resolve("cache"))) {
      file = files.filter(f -> f.toString().endsWith(name)).findFirst().orElseThrow();
    }
    byte[] bytes = Files.readAllBytes(file);
    for (Damage damage : Damage.values()) {
      Files.write(file, damage.apply(bytes, new Random(1)));
      CorruptDatasetException e =
          assertThrows(
              CorruptDatasetException.class,
              () -> build("A_text_document", "1", true, true, 60, 0, 0));
      assertEquals(file, e.file());
    }
    Random random = new Random(2);
    for (int flip = 0; flip < 100; flip++) {
      int bit = random.nextInt(8 * bytes.length);
      byte[] damaged = bytes.clone();
      damaged[bit / 8] ^= (byte) (1 << (bit % 8));
      Files.write(file, damaged);
      try (GptDataset.Splits splits = build("A_text_document", "1", true, true, 60, 0, 0)) {
        for (int i = 0; i < right.size(); i++) {
          assertArrayEquals(right.get(i).tokens(), splits.train().sample(i).tokens(), "bit " + bit);
        }
      } catch (CorruptDatasetException e) {
        assertTrue(e.getMessage().contains(file.toString()), e.getMessage());
      }
    }
    Files.delete(file);
    build("A_text_document", "1", true, true, 60, 0, 0).close();
    assertArrayEquals(bytes, Files.readAllBytes(file));
  }

  @Test
  void checksItsConfiguration() {
    assertThrows(IllegalArgumentException.class, () -> GptDatasetConfig.of(-1, 8, "1"));
    assertThrows(IllegalArgumentException.class, () -> GptDatasetConfig.of(1, 0, "1"));
    assertThrows(IllegalArgumentException.class, () -> GptDatasetConfig.of(1, 8, "x"));
    GptDatasetConfig split = GptDatasetConfig.of(1, 8, "1");
    Path path = Path.of("x");
    assertThrows(
        IllegalArgumentException.class,
        () -> GptDataset.buildPerSplit(path, null, null, split, 1, 0, 0));
    GptDatasetConfig none = GptDatasetConfig.of(1, 8, null);
    assertThrows(IllegalArgumentException.class, () -> GptDataset.build(path, none, 1, 0, 0));
  }
}
