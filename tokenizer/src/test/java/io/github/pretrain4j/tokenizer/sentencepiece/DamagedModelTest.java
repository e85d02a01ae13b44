package io.github.pretrain4j.tokenizer.sentencepiece;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.pretrain4j.tokenizer.CorruptTokenizerException;
import io.github.pretrain4j.tokenizer.Tokenizers;
import io.github.pretrain4j.tokenizer.UnsupportedTokenizerException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Random;
import java.util.stream.LongStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * A damaged model ends in a {@link CorruptTokenizerException} (or, where the damage makes another
 * sound file, in a tokenizer that works or is refused by name); never in another exception, a hang
 * or a huge allocation.
 */
class DamagedModelTest {
  private static final Path NAME = Path.of("damaged.model");
  private static final String TEXT =
      "  Hello world,\t\u4E16\u754C 123\n<sep> \uD83D\uDE00 caf\u00E9 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

  private static byte[] sound = new byte[0];

  @BeforeAll
  static void read() throws IOException {
    sound = Files.readAllBytes(Golden.folder(Golden.SMALL.get(0)).resolve("tokenizer.model"));
  }

  static LongStream seeds() {
    Long replay = Long.getLong("test.seed");
    return replay == null ? LongStream.range(0, 150) : LongStream.of(replay);
  }

  /** Loads and uses a model; true if it was refused as damaged. */
  private static boolean refused(byte[] bytes) {
    return assertTimeoutPreemptively(
        Duration.ofSeconds(20),
        () -> {
          try {
            var tokenizer = SentencePieceTokenizer.of(SentencePieceModel.parse(bytes, NAME));
            int[] ids = encodeUnlessControl(tokenizer);
            assertTrue(Arrays.stream(ids).allMatch(id -> id < tokenizer.vocabularySize()));
            tokenizer.decode(ids);
            return false;
          } catch (CorruptTokenizerException e) {
            assertEquals(NAME, e.file());
            assertTrue(e.byteOffset() >= 0 && e.byteOffset() <= bytes.length, e.getMessage());
            return true;
          }
        });
  }

  private static int[] encodeUnlessControl(SentencePieceTokenizer tokenizer) {
    try {
      return tokenizer.encode(TEXT);
    } catch (IllegalArgumentException e) {
      assertTrue(String.valueOf(e.getMessage()).contains("CONTROL"), e.getMessage());
      return new int[0];
    }
  }

  @ParameterizedTest(name = "-Dtest.seed={0}")
  @MethodSource("seeds")
  void flippedBits(long seed) {
    Random random = new Random(seed);
    byte[] bytes = sound.clone();
    for (int flips = 1 + random.nextInt(8); flips > 0; flips--) {
      bytes[random.nextInt(bytes.length)] ^= (byte) (1 << random.nextInt(8));
    }
    refused(bytes);
  }

  @ParameterizedTest(name = "-Dtest.seed={0}")
  @MethodSource("seeds")
  void truncated(long seed) {
    // No sound cut but at a piece's end, and there the trainer_spec with its model_type is missing.
    refused(Arrays.copyOf(sound, new Random(seed).nextInt(sound.length)));
  }

  @ParameterizedTest(name = "-Dtest.seed={0}")
  @MethodSource("seeds")
  void overwrittenWithNoise(long seed) {
    Random random = new Random(seed);
    byte[] bytes = sound.clone();
    byte[] noise = new byte[1 + random.nextInt(64)];
    random.nextBytes(noise);
    System.arraycopy(noise, 0, bytes, random.nextInt(bytes.length - noise.length), noise.length);
    refused(bytes);
  }

  @Test
  void emptyFile() {
    assertTrue(refused(new byte[0]));
  }

  @Test
  void zeroes() {
    assertTrue(refused(new byte[4096]));
  }

  @Test
  void cutInsideAPiece() {
    assertTrue(refused(Arrays.copyOf(sound, 1000)));
    assertTrue(refused(Arrays.copyOf(sound, sound.length - 1)));
  }

  @Test
  void lengthBeyondTheFile() {
    assertTrue(
        refused(new byte[] {0x0A, (byte) 0xFF, (byte) 0xFF, (byte) 0xFF, (byte) 0xFF, 0x07}));
    byte[] negative = new byte[11];
    Arrays.fill(negative, (byte) 0xFF);
    negative[0] = 0x0A;
    negative[10] = 0x01;
    assertTrue(refused(negative));
  }

  @Test
  void endlessVarint() {
    byte[] bytes = new byte[64];
    Arrays.fill(bytes, (byte) 0x80);
    assertTrue(refused(bytes));
  }

  @Test
  void wrongWireTypes() {
    assertTrue(refused(new byte[] {0x08, 0x01})); // pieces as varint
    assertTrue(refused(new byte[] {0x0A, 0x02, 0x10, 0x01})); // score as varint
    assertTrue(refused(new byte[] {0x0B, 0x0C})); // a group
    assertTrue(refused(new byte[] {0x0E, 0x00})); // no such wire type
    assertTrue(refused(new byte[] {0x02, 0x00})); // field number 0
  }

  @Test
  void pieceThatIsNotUtf8() {
    assertTrue(refused(new byte[] {0x0A, 0x03, 0x0A, 0x01, (byte) 0xFF}));
  }

  @Test
  void sameFieldsAfterAll() {
    assertEquals(false, refused(sound));
  }

  @Test
  void rulesAcrossPieces() {
    var unk = piece("<unk>", PieceType.UNKNOWN);
    assertTrue(refused(model(piece("a", PieceType.NORMAL)))); // no unknown piece
    assertTrue(refused(model(unk, piece("<u>", PieceType.UNKNOWN))));
    assertTrue(refused(model(unk, piece("a", PieceType.NORMAL), piece("a", PieceType.UNUSED))));
    assertTrue(refused(model(unk, piece("<0x00>", PieceType.BYTE)))); // byte_fallback is off
    assertTrue(refused(model(unk, piece("", PieceType.NORMAL))));
    assertTrue(refused(model(unk, piece("x".repeat(5000), PieceType.NORMAL))));
    assertTrue(
        refused(
            new ProtobufWriter()
                .raw(model(unk))
                .message(2, new ProtobufWriter().int32(3, 2).bool(35, true)) // no byte pieces
                .toByteArray()));
  }

  @Test
  void damagedCharsmaps() {
    byte[][] blobs = {
      {1},
      {0, 0, 0, 0, 0},
      {8, 0, 0, 0, 0},
      {-4, -1, -1, -1, 0, 0, 0, 0, 0},
      {4, 0, 0, 0, 0, 1, 0, 0, 'x'}, // no zero byte at the end
      {4, 0, 0, 0, 0, 1, 0, 0, -1, 0}, // not UTF-8
      {4, 0, 0, 0, 0, 1, -1, 0x7F, 'x', 0}, // value outside the trie
    };
    for (byte[] blob : blobs) {
      byte[] bytes =
          new ProtobufWriter()
              .raw(model(piece("<unk>", PieceType.UNKNOWN)))
              .message(2, new ProtobufWriter().int32(3, TrainerSpec.BPE))
              .message(3, new ProtobufWriter().bytes(2, blob))
              .toByteArray();
      assertTrue(refused(bytes), Arrays.toString(blob));
    }
  }

  private static ProtobufWriter piece(String text, PieceType type) {
    return new ProtobufWriter().string(1, text).float32(2, -1).int32(3, type.code());
  }

  private static byte[] model(ProtobufWriter... pieces) {
    ProtobufWriter out = new ProtobufWriter();
    for (ProtobufWriter piece : pieces) {
      out.message(1, piece);
    }
    return out.toByteArray();
  }

  @Test
  void filesOfOtherKinds(@TempDir Path folder) throws IOException {
    assertThrows(NoSuchFileException.class, () -> Tokenizers.load(folder.resolve("none")));
    var empty = assertThrows(UnsupportedTokenizerException.class, () -> Tokenizers.load(folder));
    assertTrue(String.valueOf(empty.getMessage()).contains("sentencepiece"), empty.getMessage());
    Path other = folder.resolve("notes.txt");
    Files.writeString(other, "no tokenizer", StandardCharsets.UTF_8);
    assertThrows(UnsupportedTokenizerException.class, () -> Tokenizers.load(other));
    Path text = folder.resolve("tokenizer.model");
    Files.writeString(text, "not a model", StandardCharsets.UTF_8);
    var e = assertThrows(CorruptTokenizerException.class, () -> Tokenizers.load(folder));
    assertEquals(text, e.file());
  }
}
