package io.github.pretrain4j.dataset.gpt;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Orders that numpy, torch and Megatron's native helpers gave. */
class VectorsTest {
  private static String text(int[] numbers) {
    return Arrays.stream(numbers).mapToObj(Integer::toString).collect(Collectors.joining(" "));
  }

  /** What comes next in the stream says how many numbers a shuffle drew. */
  private static void assertShuffle(long seed, int drawn, String expected) {
    int[] array = IntStream.range(0, expected.split(" ", -1).length).toArray();
    NumpyRandom random = new NumpyRandom(seed);
    random.shuffle(array, 0, array.length);
    assertEquals(expected, text(array));
    NumpyRandom fresh = new NumpyRandom(seed);
    for (int i = 0; i < drawn; i++) {
      fresh.nextInt();
    }
    assertEquals(fresh.nextInt(), random.nextInt());
  }

  @Test
  void shufflesAndDrawsAsNumpyDoes() {
    assertShuffle(0, 12, "2 8 4 9 1 6 7 3 0 5");
    assertShuffle(1, 13, "2 9 6 4 0 3 1 7 8 5");
    assertShuffle(42, 10, "8 1 5 0 7 2 9 4 3 6");
    assertShuffle(1234, 11, "7 2 9 1 0 8 4 5 6 3");
    assertShuffle(
        1234,
        155,
        "40 35 81 61 98 68 85 27 39 42 33 59 63 94 56 87 96 1 71 82 9 51 29 88 "
            + "75 74 62 66 79 48 4 64 10 93 57 72 36 7 54 77 21 18 70 86 22 6 44 8 41 "
            + "16 45 20 25 55 78 31 92 5 84 32 52 13 91 17 28 46 60 14 65 12 19 2 3 0 "
            + "11 67 97 34 37 95 50 99 73 80 69 58 90 89 43 30 26 23 49 15 24 76 53 "
            + "38 83 47");
    assertShuffle(
        42,
        147,
        "83 53 70 45 44 39 22 80 10 0 18 30 73 33 90 4 76 77 12 31 55 88 26 42 "
            + "69 15 40 96 9 72 11 47 85 28 93 5 66 65 35 16 49 34 7 95 27 19 81 25 "
            + "62 13 24 3 17 38 8 78 6 64 36 89 56 99 54 43 50 67 46 68 61 97 79 41 "
            + "58 48 98 57 75 32 94 59 63 84 37 29 1 52 21 2 23 87 91 74 86 82 20 60 "
            + "71 14 92 51");
    assertShuffle(
        0,
        138,
        "26 86 2 55 75 93 16 73 54 95 53 92 78 13 7 30 22 24 33 8 43 62 3 71 45 "
            + "48 6 99 82 76 60 80 90 68 51 27 18 56 63 74 1 61 42 41 4 15 17 40 38 5 "
            + "91 59 0 34 28 50 11 35 23 52 10 31 66 57 79 85 32 84 14 89 19 29 49 97 "
            + "98 69 20 94 72 77 25 37 81 46 39 65 58 12 88 70 87 36 21 83 9 96 67 64 "
            + "47 44");
  }

  @Test
  void drawsLongsHighWordFirst() {
    NumpyRandom random = new NumpyRandom(1234);
    assertEquals(3532910284440527571L, random.nextLong());
    assertEquals(Long.parseUnsignedLong("11475881202261285941"), random.nextLong());
    assertEquals(8074651545468362100L, random.nextLong());
  }

  @ParameterizedTest
  @CsvSource({
    "0, 4 1 7 5 3 9 0 8 6 2, 12 10 9 6 11 8 13 5 2 14 15 0 4 3 7 1",
    "1, 5 6 1 2 0 8 9 3 7 4, 5 15 6 4 11 2 7 12 1 0 9 8 10 3 13 14",
    "2, 8 7 1 5 6 9 0 4 2 3, 8 13 1 9 6 7 0 11 4 2 10 12 15 14 5 3",
    "3, 6 0 3 7 8 5 1 9 2 4, 10 9 5 6 8 11 3 1 13 7 14 12 4 15 0 2"
  })
  void permutesAsTorchDoes(long seed, String ten, String sixteen) {
    assertEquals(ten, text(TorchRandom.permutation(10, seed)));
    assertEquals(sixteen, text(TorchRandom.permutation(16, seed)));
    assertEquals(ten, text(TorchRandom.permutation(10, seed + (1L << 32))));
  }

  @ParameterizedTest
  @CsvSource({
    "0, 1000, 5c05c022c4c6682bb282b98bf7c7d4f5",
    "1, 1000, 3e30089e280b13c23005789ca86bbced",
    "7, 100000, 7391727bc747c5568a842087b697d451"
  })
  void permutesManyAsTorchDoes(long seed, int count, String md5) throws GeneralSecurityException {
    ByteBuffer bytes = ByteBuffer.allocate(8 * count).order(ByteOrder.LITTLE_ENDIAN);
    for (int place : TorchRandom.permutation(count, seed)) {
      bytes.putLong(place);
    }
    byte[] digest = MessageDigest.getInstance("MD5").digest(bytes.array());
    assertEquals(md5, HexFormat.of().formatHex(digest));
  }

  /** Inside out, each place drawn from 64 bits. */
  @Test
  void permutesHugeCountsInsideOut() {
    int[] order = TorchRandom.permutation(5, 1234, 5);
    NumpyRandom random = new NumpyRandom(1234);
    int[] expected = new int[5];
    for (int i = 0; i < 5; i++) {
      int place = (int) Long.remainderUnsigned(random.nextLong(), i + 1);
      expected[i] = expected[place];
      expected[place] = i;
    }
    assertArrayEquals(expected, order);
    assertEquals(10, Arrays.stream(order).sum());
  }

  private static String datasets(BlendIndex.Built built) {
    int[] numbers = new int[built.datasetIndex().length];
    int[] counts = new int[10];
    for (int i = 0; i < numbers.length; i++) {
      numbers[i] = built.datasetIndex()[i];
      assertEquals(counts[numbers[i]]++, built.datasetSampleIndex()[i]);
    }
    return text(numbers);
  }

  @ParameterizedTest
  @CsvSource({
    "0.5 0.3 0.2, 20, 0 1 2 0 1 0 2 0 1 0 0 1 2 0 1 0 2 0 1 0",
    "0.1 0.9, 15, 1 0 1 1 1 1 1 1 1 1 0 1 1 1 1",
    "0.3333333333333333 0.3333333333333333 0.3333333333333333, 9, 0 1 2 0 1 2 0 1 2"
  })
  void blendsAsTheNativeKernelDoes(String weights, int size, String expected) {
    double[] shares =
        Arrays.stream(weights.split(" ", -1)).mapToDouble(Double::parseDouble).toArray();
    assertEquals(expected, datasets(BlendIndex.build(shares, size)));
  }

  @ParameterizedTest
  @CsvSource({"3 5 2, 1 0 2 1 0 1 2 1 0 1", "1 9, 1 0 1 1 1 1 1 1 1 1"})
  void blendsExhaustivelyAsTheNativeKernelDoes(String sizes, String expected) {
    long[] counts = Arrays.stream(sizes.split(" ", -1)).mapToLong(Long::parseLong).toArray();
    assertEquals(expected, datasets(BlendIndex.buildExhaustive(counts)));
  }

  @Test
  void addsWeightsPairwise() {
    double[] nine = new double[9];
    Arrays.fill(nine, 0.1);
    assertEquals(0.1 / 0.9, BlendIndex.normalize(nine)[0]);
    double[] twenty = new double[20];
    Arrays.fill(twenty, 0.05);
    assertEquals(0.05 / 1.0000000000000002, BlendIndex.normalize(twenty)[0]);
    double[] once = BlendIndex.normalize(new double[] {0.7, 0.2, 0.1});
    assertArrayEquals(
        new double[] {0.7000000000000001, 0.20000000000000004, 0.10000000000000002}, once);
    assertArrayEquals(
        new double[] {0.7, 0.19999999999999998, 0.09999999999999999}, BlendIndex.normalize(once));
    double[] many = new double[1000];
    Arrays.fill(many, 1);
    assertEquals(0.001, BlendIndex.normalize(many)[999]);
  }
}
