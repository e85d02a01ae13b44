package io.github.pretrain4j.dataset.gpt;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.stream.IntStream;
import org.jspecify.annotations.NullUnmarked;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Numbers and texts that numpy and Python themselves gave. */
@NullUnmarked // JUnit injects, and assertions check, what the compiler cannot see
class NumpyCompatibilityTest {
  private static int[] range(int from, int to) {
    return IntStream.range(from, to).toArray();
  }

  @ParameterizedTest
  @CsvSource({
    "0, 2357136044, 3791854820, 341544762",
    "42, 1608637542, 1077437785, 108880612",
    "1234, 822569775, 1664263489, 303637765",
    "4294967295, 419326371, -1, -1"
  })
  void drawsTheSameBits(long seed, long first, long index623, long index624) {
    NumpyRandom random = new NumpyRandom(seed);
    assertEquals((int) first, random.nextInt());
    if (index623 >= 0) {
      for (int i = 1; i < 623; i++) {
        random.nextInt();
      }
      assertEquals((int) index623, random.nextInt());
      assertEquals((int) index624, random.nextInt());
    }
  }

  @Test
  void shufflesTheSameWay() {
    NumpyRandom random = new NumpyRandom(1234);
    int[] five = range(0, 5);
    random.shuffle(five, 0, 5);
    assertArrayEquals(new int[] {4, 0, 1, 2, 3}, five);
    int[] seven = range(0, 7);
    random.shuffle(seven, 0, 7);
    assertArrayEquals(new int[] {5, 2, 6, 3, 1, 0, 4}, seven);
    int[] inside = range(0, 12);
    random.shuffle(inside, 4, 5);
    assertArrayEquals(new int[] {0, 1, 2, 3, 4, 8, 7, 6, 5, 9, 10, 11}, inside);
    assertEquals((int) 3501098142L, random.nextInt());
  }

  @ParameterizedTest
  @CsvSource({
    "1234, 1000, 3f4f15eb6f685b404530b9069180aa76",
    "1234, 65536, dcd1841aa2b9605321e1720878bd6e09",
    "1234, 65537, 77a82ebd599e1fcc8903a8fc00720ec3",
    "1234, 1000000, 399e17340f2524b6a6564bb83429446e",
    "42, 1000000, f7f64c67e42d56293fae26268ee967b0"
  })
  void shufflesLongArrays(long seed, int length, String md5) throws GeneralSecurityException {
    int[] array = range(0, length);
    new NumpyRandom(seed).shuffle(array, 0, length);
    ByteBuffer bytes = ByteBuffer.allocate(4 * length).order(ByteOrder.LITTLE_ENDIAN);
    bytes.asIntBuffer().put(array);
    MessageDigest digest = MessageDigest.getInstance("MD5");
    digest.update(bytes);
    assertEquals(md5, HexFormat.of().formatHex(digest.digest()));
  }

  @Test
  void refusesOtherSeeds() {
    assertThrows(IllegalArgumentException.class, () -> new NumpyRandom(-1));
    assertThrows(IllegalArgumentException.class, () -> new NumpyRandom(1L << 32));
  }

  @ParameterizedTest
  @CsvSource({
    "0.0, 0.0",
    "1, 1.0",
    "0.8, 0.8",
    "0.9500000000000001, 0.9500000000000001",
    "0.6666666666666666, 0.6666666666666666",
    "123456789012345680, 1.2345678901234568e+17",
    "1e16, 1e+16",
    "9999999999999998, 9999999999999998.0",
    "0.0001, 0.0001",
    "0.00001, 1e-05",
    "-1.5e-7, -1.5e-07",
    "1e100, 1e+100",
    "2e-3, 0.002",
    "5e-324, 5e-324",
    "2.2250738585072014e-308, 2.2250738585072014e-308",
    "1.7976931348623157e308, 1.7976931348623157e+308"
  })
  void writesFloatsAsPythonDoes(double value, String repr) {
    assertEquals(repr, PythonJson.repr(value));
  }

  @Test
  void writesJsonAsPythonDoes() {
    String nested =
        new PythonJson()
            .beginObject()
            .key("a")
            .beginArray()
            .integer(1)
            .endArray()
            .endObject()
            .toString();
    assertEquals("{\n    \"a\": [\n        1\n    ]\n}", nested);
    String text =
        new PythonJson()
            .beginArray()
            .string("\"\\\n\r\t\b\f/\u0001\u007f汉\ud83d\ude00")
            .beginArray()
            .endArray()
            .beginObject()
            .endObject()
            .nullValue()
            .raw(nested)
            .endArray()
            .toString();
    assertEquals(
        "[\n    \"\\\"\\\\\\n\\r\\t\\b\\f/\\u0001\\u007f\\u6c49\\ud83d\\ude00\",\n    [],\n    {},\n"
            + "    null,\n    {\n        \"a\": [\n            1\n        ]\n    }\n]",
        text);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      value = {
        "969,30,1; 10; 0-10 10-10 10-10",
        "969,30,1; 1234; 0-1196 1196-1233 1233-1234",
        "969,30,1; 999999; 0-968999 968999-998999 998999-999999",
        "90,5,5; 10; 0-9 9-10 10-10",
        "90,5,5; 1234; 0-1111 1111-1172 1172-1234",
        "1,1,1; 10; 0-3 3-7 7-10",
        "1,1,1; 999999; 0-333333 333333-666666 666666-999999",
        "1,1,0; 1; 0-0 0-1",
        "1,1,0; 3; 0-2 2-3",
        "1/1; 5; 0-2 2-5",
        "-1 and 1; 9; 0-4 4-9"
      })
  void cutsSplitsAtTheSamePlaces(String split, long count, String ranges) {
    SplitMatrix matrix = SplitMatrix.parse(split);
    StringBuilder found = new StringBuilder();
    for (int i = 0; i < 3; i++) {
      SplitMatrix.Share share = matrix.share(i);
      if (share != null) {
        found.append(share.first(count)).append('-').append(share.last(count)).append(' ');
      }
    }
    assertEquals(ranges, found.toString().strip());
  }

  @Test
  void describesSplits() {
    SplitMatrix matrix = SplitMatrix.parse("0,1,0");
    assertNull(matrix.share(0));
    assertNotNull(matrix.share(1));
    assertNull(matrix.share(2));
    PythonJson out = new PythonJson();
    matrix.describe(out);
    assertEquals(
        "[null,[0.0,1.0],null]", out.toString().replaceAll("\\s", ""), "no integer zero here");
    out = new PythonJson();
    SplitMatrix.parse("90,5,5").describe(out);
    assertEquals(
        "[[0,0.9],[0.9,0.9500000000000001],[0.9500000000000001,1.0]]",
        out.toString().replaceAll("\\s", ""));
    for (String bad : new String[] {"", "0,0,0", "1,1,1,1", "1..2", "none"}) {
      assertThrows(IllegalArgumentException.class, () -> SplitMatrix.parse(bad), bad);
    }
  }
}
