package io.github.pretrain4j.dataset.preprocess;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.LongStream;
import org.jspecify.annotations.NullUnmarked;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Line ends and UTF-8. */
@NullUnmarked // JUnit injects, and assertions check, what the compiler cannot see
class SmallPartsTest {
  @TempDir Path temporary;

  static LongStream seeds() {
    Long replay = Long.getLong("test.seed");
    return replay == null ? LongStream.range(0, 100) : LongStream.of(replay);
  }

  /** Blocks put together are the file; lines are those between universal newlines. */
  @ParameterizedTest(name = "-Dtest.seed={0}")
  @MethodSource("seeds")
  void blocksCutBetweenLines(long seed) throws IOException, EncodedBlock.BlockFailure {
    Random random = new Random(seed);
    StringBuilder content = new StringBuilder();
    for (int i = random.nextInt(200); i > 0; i--) {
      content.append("abc\n\r\n\r".charAt(random.nextInt(7)));
    }
    Path file = Files.writeString(temporary.resolve("lines"), content);
    List<String> expected = new ArrayList<>();
    String rest = content.toString();
    while (!rest.isEmpty()) {
      String[] parts = rest.split("\r\n|\r|\n", 2);
      expected.add(parts[0]);
      rest = parts.length == 2 ? parts[1] : "";
    }
    List<String> found = new ArrayList<>();
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    LineBlock block = new LineBlock();
    try (LineBlockReader reader =
        new LineBlockReader(
            InputList.of(List.of(file, file)),
            1 + random.nextInt(20),
            1000,
            InputPosition.START,
            null)) {
      while (reader.next(block)) {
        assertEquals(file, block.file);
        assertEquals(bytes.size() - (long) block.input * content.length(), block.byteOffset);
        bytes.write(block.bytes, 0, block.length);
        for (int start = 0; start < block.length; ) {
          int end = block.lineEnd(start);
          found.add(new String(block.bytes, start, end - start, StandardCharsets.UTF_8));
          start = block.nextLine(end);
        }
      }
    }
    assertEquals(content.toString().repeat(2), bytes.toString(StandardCharsets.UTF_8));
    List<String> twice = new ArrayList<>(expected);
    twice.addAll(expected);
    assertEquals(twice, found);
  }

  @Test
  void aLineOverTheLimitIsRefused() throws IOException {
    Path file = Files.writeString(temporary.resolve("lines"), "a\n" + "b".repeat(100) + "\nc");
    LineBlock block = new LineBlock();
    try (LineBlockReader reader =
        new LineBlockReader(InputList.of(List.of(file)), 8, 64, InputPosition.START, null)) {
      EncodedBlock.BlockFailure e =
          assertThrows(
              EncodedBlock.BlockFailure.class,
              () -> {
                while (reader.next(block)) {
                  // reads on
                }
              });
      assertEquals(2, e.lines.byteOffset);
      assertTrue(e.badLine.expected.startsWith("a line of up to 64 bytes"), e.badLine.expected);
    }
  }

  private static int firstInvalid(byte[] bytes) {
    return Utf8.firstInvalid(bytes, 0, bytes.length);
  }

  /** The JDK's decoder is the judge. */
  @ParameterizedTest(name = "-Dtest.seed={0}")
  @MethodSource("seeds")
  void knowsUtf8(long seed) {
    Random random = new Random(seed);
    for (int round = 0; round < 200; round++) {
      StringBuilder text = new StringBuilder();
      for (int i = random.nextInt(20); i > 0; i--) {
        int limit = new int[] {0x80, 0x800, 0x10000, 0x110000}[random.nextInt(4)];
        int c = random.nextInt(limit);
        text.appendCodePoint(c >= 0xd800 && c < 0xe000 ? 'x' : c);
      }
      byte[] bytes = text.toString().getBytes(StandardCharsets.UTF_8);
      assertEquals(-1, firstInvalid(bytes));
      if (bytes.length > 0) {
        bytes[random.nextInt(bytes.length)] = (byte) random.nextInt(256);
        int invalid = firstInvalid(bytes);
        assertEquals(decodes(bytes, bytes.length), invalid < 0);
        assertTrue(invalid < 0 || decodes(bytes, invalid));
      }
    }
  }

  private static boolean decodes(byte[] bytes, int length) {
    try {
      StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes, 0, length));
      return true;
    } catch (CharacterCodingException e) {
      return false;
    }
  }
}
