package io.github.pretrain4j.dataset.preprocess;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.github.luben.zstd.Zstd;
import com.google.common.hash.Hashing;
import io.github.pretrain4j.dataset.Damage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.LongStream;
import java.util.zip.GZIPOutputStream;
import org.jspecify.annotations.NullUnmarked;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What names stand for, and what compressed inputs give. */
@NullUnmarked // JUnit injects, and assertions check, what the compiler cannot see
class InputListTest {
  @TempDir Path temporary;

  static LongStream seeds() {
    Long replay = Long.getLong("test.seed");
    return replay == null ? LongStream.range(0, 20) : LongStream.of(replay);
  }

  private List<String> resolved(String... names) throws IOException {
    InputList inputs =
        InputList.resolve(
            Arrays.stream(names)
                .map(name -> name.equals("-") ? name : temporary.resolve(".") + "/" + name)
                .toList());
    List<String> found = new ArrayList<>();
    for (int i = 0; i < inputs.size(); i++) {
      Path file = inputs.file(i);
      found.add(
          file.equals(InputList.STANDARD_INPUT)
              ? "-"
              : temporary.relativize(file.normalize()).toString().replace('\\', '/'));
    }
    return found;
  }

  private void make(String... names) throws IOException {
    for (String name : names) {
      Path file = temporary.resolve(name);
      Files.createDirectories(file.getParent());
      Files.writeString(file, "12");
    }
  }

  @Test
  void directoriesAndGlobsAreSortedByCodePoint() throws IOException {
    make("d/b.jsonl", "d/a10.json", "d/a2.jsonl.gz", "d/B.jsonl.zst", "d/\ud83d\ude00.jsonl");
    make("d/\uff21.jsonl", "d/readme.txt", "d/c.jsonl.bak", "d/sub/z.jsonl");
    assertEquals(
        List.of(
            "d/B.jsonl.zst",
            "d/a10.json",
            "d/a2.jsonl.gz",
            "d/b.jsonl",
            "d/\uff21.jsonl",
            "d/\ud83d\ude00.jsonl"),
        resolved("d"));
    assertEquals(List.of("d/a10.json", "d/a2.jsonl.gz"), resolved("d/a*"));
    assertEquals(List.of("d/b.jsonl", "-", "d/readme.txt"), resolved("d/b.jsonl", "-", "d/*.txt"));
    assertEquals(List.of("d/b.jsonl", "d/sub/z.jsonl"), resolved("d/{b,sub/z}.jsonl"));
    assertEquals(List.of("d/sub/z.jsonl"), resolved("d/**/[z].jsonl"));
    assertEquals(List.of("d/sub/z.jsonl"), resolved("d/?ub/*"));
  }

  @Test
  void aFileNamedLikeAGlobIsAFile() throws IOException {
    make("a[1].jsonl", "a1.jsonl");
    assertEquals(List.of("a[1].jsonl"), resolved("a[1].jsonl"));
  }

  @Test
  void whatStandsForNothingIsRefused() throws IOException {
    make("d/readme.txt");
    assertThrows(NoSuchFileException.class, () -> resolved("none.jsonl"));
    assertThrows(NoSuchFileException.class, () -> resolved("d"));
    assertThrows(NoSuchFileException.class, () -> resolved("d/*.jsonl"));
    assertThrows(NoSuchFileException.class, () -> resolved("none/*.jsonl"));
    assertThrows(IllegalArgumentException.class, () -> resolved("-", "-"));
  }

  @Test
  void countsTheBytesOfFiles() throws IOException {
    make("a.jsonl", "b.jsonl");
    InputList inputs =
        InputList.resolve(
            List.of(
                temporary.resolve("a.jsonl").toString(),
                "-",
                temporary.resolve("b.jsonl").toString()));
    assertEquals(4, inputs.totalBytes());
  }

  // ---- compressed

  private static byte[] gzip(byte[] bytes) throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    try (OutputStream gzip = new GZIPOutputStream(out)) {
      gzip.write(bytes);
    }
    return out.toByteArray();
  }

  private static byte[] compress(String kind, byte[] bytes) throws IOException {
    return kind.equals("gz") ? gzip(bytes) : Zstd.compress(bytes);
  }

  private static byte[] readAll(Path file, int bytesAtOnce) throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    byte[] some = new byte[bytesAtOnce];
    try (OpenInput input = OpenInput.open(file)) {
      for (int count = input.read(some, 0, some.length);
          count >= 0;
          count = input.read(some, 0, some.length)) {
        out.write(some, 0, count);
      }
      assertEquals(Files.size(file), input.rawBytes());
      assertEquals(
          Hashing.sha256().hashBytes(Files.readAllBytes(file)).toString(),
          input.rawSha256(Hashing.sha256().hashBytes(out.toByteArray()).asBytes()));
    }
    return out.toByteArray();
  }

  /** Some members or frames, empty ones too, one after the other. */
  @ParameterizedTest(name = "-Dtest.seed={0}")
  @MethodSource("seeds")
  void decompressesAllMembers(long seed) throws IOException {
    for (String kind : List.of("gz", "zst")) {
      Random random = new Random(seed);
      ByteArrayOutputStream plain = new ByteArrayOutputStream();
      ByteArrayOutputStream compressed = new ByteArrayOutputStream();
      for (int i = 1 + random.nextInt(5); i > 0; i--) {
        byte[] part = new byte[random.nextInt(3) == 0 ? 0 : random.nextInt(200_000)];
        for (int j = 0; j < part.length; j++) {
          part[j] = (byte) random.nextInt(1 + random.nextInt(256));
        }
        plain.write(part);
        compressed.write(compress(kind, part));
      }
      if (kind.equals("gz")) {
        compressed.write(new byte[random.nextInt(3)]); // padding
      }
      Path file = Files.write(temporary.resolve("a." + kind), compressed.toByteArray());
      assertArrayEquals(plain.toByteArray(), readAll(file, 1 + random.nextInt(100_000)));
    }
  }

  /** All that RFC 1952 allows in a header. */
  @Test
  void readsAGzipHeaderOfAllParts() throws IOException {
    byte[] plain = gzip("text".getBytes(StandardCharsets.UTF_8));
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.write(new byte[] {0x1f, (byte) 0x8b, 8, 0x1f, 1, 2, 3, 4, 0, 3, 2, 0, 'e', 'x'});
    out.write("name\0comment\0".getBytes(StandardCharsets.UTF_8));
    java.util.zip.CRC32 crc = new java.util.zip.CRC32();
    crc.update(out.toByteArray());
    out.write((int) crc.getValue());
    out.write((int) crc.getValue() >> 8);
    out.write(plain, 10, plain.length - 10);
    Path file = Files.write(temporary.resolve("a.gz"), out.toByteArray());
    assertEquals("text", new String(readAll(file, 10), StandardCharsets.UTF_8));
    byte[] damaged = out.toByteArray();
    damaged[15] ^= 1;
    Files.write(file, damaged);
    assertThrows(DamagedInputException.class, () -> readAll(file, 10));
  }

  @ParameterizedTest
  @ValueSource(strings = {"gz", "zst"})
  void whatFollowsTheLastMemberIsDamage(String kind) throws IOException {
    byte[] whole = compress(kind, "text".getBytes(StandardCharsets.UTF_8));
    byte[] longer = Arrays.copyOf(whole, whole.length + 6);
    Arrays.fill(longer, whole.length, longer.length, (byte) 'x');
    Path file = Files.write(temporary.resolve("a." + kind), longer);
    DamagedInputException e = assertThrows(DamagedInputException.class, () -> readAll(file, 100));
    assertEquals(4, e.byteOffset());
    assertEquals(file, e.file());
  }

  /** Cut at any byte, a compressed file is refused after what could be decompressed. */
  @ParameterizedTest
  @ValueSource(strings = {"gz", "zst"})
  void aCutFileIsDamage(String kind) throws IOException {
    byte[] part = "some text, some more text\n".repeat(9).getBytes(StandardCharsets.UTF_8);
    byte[] one = compress(kind, part);
    byte[] two = new byte[2 * one.length];
    System.arraycopy(one, 0, two, 0, one.length);
    System.arraycopy(one, 0, two, one.length, one.length);
    Path file = temporary.resolve("a." + kind);
    for (int length = 0; length < two.length; length++) {
      Files.write(file, Arrays.copyOf(two, length));
      if (length == one.length) {
        assertArrayEquals(part, readAll(file, 1000));
        continue;
      }
      DamagedInputException e =
          assertThrows(DamagedInputException.class, () -> readAll(file, 1000), "cut at " + length);
      assertTrue(e.byteOffset() >= (length < one.length ? 0 : part.length), e.getMessage());
      assertTrue(e.getMessage().startsWith(file + ": after "), e.getMessage());
    }
  }

  @ParameterizedTest
  @EnumSource(Damage.class)
  void damageIsFoundOrDoesNoHarm(Damage damage) throws IOException {
    byte[] part = new byte[100_000];
    new Random(5).nextBytes(part);
    byte[] damaged = damage.apply(gzip(part), new Random(6));
    Path file = Files.write(temporary.resolve("a.gz"), damaged);
    try {
      assertArrayEquals(part, readAll(file, 1000)); // zero bytes at the end are padding
    } catch (DamagedInputException e) {
      assertTrue(e.getMessage().contains("a.gz"), e.getMessage());
    }
  }
}
