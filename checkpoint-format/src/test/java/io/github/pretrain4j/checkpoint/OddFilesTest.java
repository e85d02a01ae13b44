package io.github.pretrain4j.checkpoint;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.pretrain4j.checkpoint.PickleObject.PyDict;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Files that are rare, huge or something else than they seem, put together by hand. */
class OddFilesTest {
  private final Path temporary;

  OddFilesTest(@TempDir Path temporary) {
    this.temporary = temporary;
  }

  /** A pickle, byte by byte; lower-case methods write one opcode. */
  private static final class Pickle {
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();

    Pickle raw(int... bytes) {
      for (int each : bytes) {
        out.write(each);
      }
      return this;
    }

    Pickle ascii(String text) {
      out.writeBytes(text.getBytes(StandardCharsets.US_ASCII));
      return this;
    }

    Pickle text(String text) {
      return raw('X').i32(text.length()).ascii(text);
    }

    Pickle i32(int value) {
      out.writeBytes(ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt(value).array());
      return this;
    }

    Pickle i64(long value) {
      out.writeBytes(ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(value).array());
      return this;
    }

    Pickle integer(long value) {
      return raw(0x8A, 8).i64(value);
    }

    byte[] bytes() {
      return out.toByteArray();
    }
  }

  /** {@code {"w": uint8 tensor of that shape and storage}}. */
  private static Pickle tensor(Pickle to, String key, long numel, long offset, long size) {
    return to.ascii("ctorch._utils\n_rebuild_tensor_v2\n((")
        .text("storage")
        .ascii("ctorch\nByteStorage\n")
        .text(key)
        .text("cpu")
        .integer(numel)
        .ascii("tQ")
        .integer(offset)
        .integer(size)
        .raw(0x85, 'K', 1, 0x85, 0x89)
        .ascii("ccollections\nOrderedDict\n)RtR");
  }

  /** A zip of stored members at chosen places, most of it holes. */
  private static final class Zip {
    private final FileChannel channel;
    private final ByteArrayOutputStream central = new ByteArrayOutputStream();
    private int entries;

    Zip(FileChannel channel) {
      this.channel = channel;
    }

    /** Returns where the data starts. */
    long add(long at, String name, long size) throws IOException {
      byte[] text = ("archive/" + name).getBytes(StandardCharsets.US_ASCII);
      ByteBuffer local = ByteBuffer.allocate(30 + text.length).order(ByteOrder.LITTLE_ENDIAN);
      local.putInt(0x04034B50).putShort(26, (short) text.length).position(30);
      channel.write(local.put(text).flip(), at);
      int extra = 4 + 24;
      ByteBuffer entry =
          ByteBuffer.allocate(46 + text.length + extra).order(ByteOrder.LITTLE_ENDIAN);
      entry.putInt(0x02014B50).putInt(20, -1).putInt(24, -1).putInt(42, -1);
      entry.putShort(28, (short) text.length).putShort(30, (short) extra);
      entry.position(46).put(text).putShort((short) 1).putShort((short) 24);
      entry.putLong(size).putLong(size).putLong(at);
      central.writeBytes(entry.array());
      entries++;
      return at + local.capacity();
    }

    void finish(long at) throws IOException {
      ByteBuffer end = ByteBuffer.allocate(98).order(ByteOrder.LITTLE_ENDIAN);
      end.putInt(0x06064B50).putLong(44).putShort((short) 45).putShort((short) 45).putLong(0);
      end.putLong(entries).putLong(entries).putLong(central.size()).putLong(at);
      end.putInt(0x07064B50).putInt(0).putLong(at + central.size()).putInt(1);
      end.putInt(0x06054B50).putInt(0).putShort((short) -1).putShort((short) -1);
      end.putInt(-1).putInt(-1).putShort((short) 0);
      channel.write(ByteBuffer.wrap(central.toByteArray()), at);
      channel.write(end.flip(), at + central.size());
    }
  }

  @Test
  void readsRecordsBeyondFourGigabytesAtBothEnds() throws IOException {
    long big = (1L << 32) + 100;
    Path file = temporary.resolve("big.pt");
    Pickle pickle = new Pickle().raw(0x80, 2, '}', '(').text("big");
    tensor(pickle, "0", big, 0, big).text("late");
    tensor(pickle, "1", 8, 0, 8).ascii("u.");
    byte[] data = pickle.bytes();
    try (FileChannel channel =
        FileChannel.open(
            file,
            StandardOpenOption.CREATE_NEW,
            StandardOpenOption.WRITE,
            StandardOpenOption.SPARSE)) {
      Zip zip = new Zip(channel);
      channel.write(ByteBuffer.wrap(data), zip.add(0, "data.pkl", data.length));
      channel.write(ByteBuffer.wrap(new byte[] {'3', '\n'}), zip.add(4096, "version", 2));
      long start = zip.add(8192, "data/0", big);
      channel.write(ByteBuffer.wrap(new byte[] {1, 2, 3}), start);
      channel.write(ByteBuffer.wrap(new byte[] {4, 5, 6}), start + big - 3);
      long late = zip.add(start + big + 50, "data/1", 8);
      channel.write(ByteBuffer.wrap(new byte[] {1, 2, 3, 4, 5, 6, 7, 8}), late);
      zip.finish(late + 8);
    }
    try (TorchFileReader reader = TorchFileReader.open(file)) {
      PyDict root = (PyDict) reader.root();
      TensorReference tensor = (TensorReference) Objects.requireNonNull(root.get("big"));
      assertEquals(big, tensor.byteCount());
      ByteBuffer end = ByteBuffer.allocate(5);
      reader.read(tensor, big - 5, end);
      assertArrayEquals(new byte[] {0, 0, 4, 5, 6}, end.array());
      ByteBuffer start = ByteBuffer.allocate(4);
      reader.read(tensor, 0, start);
      assertArrayEquals(new byte[] {1, 2, 3, 0}, start.array());
      assertArrayEquals(
          new byte[] {1, 2, 3, 4, 5, 6, 7, 8},
          ExpectedTree.inPieces(
              reader, (TensorReference) Objects.requireNonNull(root.get("late")), 3));
    }
  }

  @Test
  void readsSafetensorsBeyondFourGigabytes() throws IOException {
    long big = (1L << 32) + 100;
    Path file = temporary.resolve("big.safetensors");
    byte[] header =
        ("{\"a\":{\"dtype\":\"U8\",\"shape\":["
                + big
                + "],\"data_offsets\":[0,"
                + big
                + "]},\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":["
                + big
                + ","
                + (big + 2)
                + "]}}")
            .getBytes(StandardCharsets.US_ASCII);
    try (FileChannel channel =
        FileChannel.open(
            file,
            StandardOpenOption.CREATE_NEW,
            StandardOpenOption.WRITE,
            StandardOpenOption.SPARSE)) {
      channel.write(ByteBuffer.wrap(new Pickle().i64(header.length).bytes()), 0);
      channel.write(ByteBuffer.wrap(header), 8);
      channel.write(ByteBuffer.wrap(new byte[] {7, 8, 9}), 8 + header.length + big - 1);
    }
    try (SafetensorsReader reader = SafetensorsReader.open(file)) {
      ByteBuffer two = ByteBuffer.allocate(2);
      reader.read("a", big - 2, two);
      assertArrayEquals(new byte[] {0, 7}, two.array());
      reader.read("b", 0, two.clear());
      assertArrayEquals(new byte[] {8, 9}, two.array());
    }
  }

  private static byte[] legacy(Pickle object, String keys, long numel, byte[] data) {
    return new Pickle()
        .raw(0x80, 2, 0x8A, 10, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19, '.')
        .raw(0x80, 2, 'M', 0xE9, 0x03, '.')
        .raw(0x80, 2, '}', '(')
        .text("little_endian")
        .raw(0x88, 'u', '.')
        .raw(unsigned(object.bytes()))
        .raw(0x80, 2, ']')
        .text(keys)
        .raw('a', '.')
        .i64(numel)
        .raw(unsigned(data))
        .bytes();
  }

  private static int[] unsigned(byte[] bytes) {
    int[] result = new int[bytes.length];
    for (int i = 0; i < bytes.length; i++) {
      result[i] = Byte.toUnsignedInt(bytes[i]);
    }
    return result;
  }

  /** A tensor over elements {@code viewOffset…} of a storage, as PyTorch before 0.4 wrote. */
  private static Pickle viewed(long viewOffset, long viewCount, long offset, long size) {
    return new Pickle()
        .raw(0x80, 2)
        .ascii("ctorch._utils\n_rebuild_tensor\n((")
        .text("storage")
        .ascii("ctorch.cuda\nShortStorage\n")
        .text("94")
        .text("cuda:0")
        .raw('K', 6, '(')
        .text("95")
        .integer(viewOffset)
        .integer(viewCount)
        .ascii("ttQ")
        .integer(offset)
        .integer(size)
        .raw(0x85, 'K', 1, 0x85)
        .ascii("tR.");
  }

  @Test
  void readsViewsOfStoragesInLegacyFiles() throws IOException {
    byte[] data = {0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5};
    Path file = temporary.resolve("old.pt");
    Files.write(file, legacy(viewed(2, 3, 1, 2), "94", 6, data));
    try (TorchFileReader reader = TorchFileReader.open(file)) {
      TensorReference tensor = (TensorReference) reader.root();
      assertEquals(List.of(2L), tensor.shape());
      assertEquals(DataType.I16, tensor.type());
      assertArrayEquals(new byte[] {3, 3, 4, 4}, ExpectedTree.inPieces(reader, tensor, 100));
    }
    for (Pickle outside :
        List.of(
            viewed(2, 3, 1, 3),
            viewed(4, 3, 0, 1),
            viewed(-1, 3, 1, 1),
            viewed(0, -1, 0, 0),
            viewed(Long.MAX_VALUE, 1, 0, 1),
            viewed(1, 5, Long.MAX_VALUE, 1))) {
      Files.write(file, legacy(outside, "94", 6, data));
      assertThrows(CorruptCheckpointException.class, () -> TorchFileReader.open(file));
    }
  }

  @Test
  void refusesTensorsWhoseBytesAreNotTheirValues() throws IOException {
    Pickle pickle =
        new Pickle()
            .raw(0x80, 2)
            .ascii("ctorch._utils\n_rebuild_tensor_v2\n((")
            .text("storage")
            .ascii("ctorch\nComplexFloatStorage\n")
            .text("0")
            .text("cpu")
            .raw('K', 1)
            .raw('t', 'Q', 'K', 0, 'K', 1, 0x85, 'K', 1, 0x85, 0x89)
            .ascii("ccollections\nOrderedDict\n)R}")
            .text("conj")
            .raw(0x88, 's', 't', 'R', '.');
    Path file = temporary.resolve("conjugate.pt");
    Files.write(file, legacy(pickle, "0", 1, new byte[8]));
    CorruptCheckpointException refused =
        assertThrows(CorruptCheckpointException.class, () -> TorchFileReader.open(file));
    assertEquals("a conjugate or negative view", refused.found());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n|Git LFS",
        "<!DOCTYPE html><html><body>Not found</body></html>|page of the web",
        "PYTORCH1________|preview",
        "PK\003\004______________|zip archive"
      })
  void saysWhatAFileIsInstead(String startAndWord) throws IOException {
    String[] parts = startAndWord.split("\\|", 2);
    for (String name : List.of("model.safetensors", "model.pt")) {
      Path file = temporary.resolve(name);
      Files.writeString(file, parts[0], StandardCharsets.ISO_8859_1);
      CorruptCheckpointException refused =
          assertThrows(
              CorruptCheckpointException.class,
              () ->
                  (name.endsWith("pt") ? TorchFileReader.open(file) : SafetensorsReader.open(file))
                      .close());
      if (!parts[1].contains("zip") || name.endsWith("safetensors")) {
        assertTrue(refused.found().contains(parts[1]), refused.found());
      }
    }
  }

  @Test
  void refusesTarArchivesWithAWayOut() throws IOException {
    byte[] tar = new byte[10_240];
    System.arraycopy("ustar".getBytes(StandardCharsets.US_ASCII), 0, tar, 257, 5);
    System.arraycopy("storages".getBytes(StandardCharsets.US_ASCII), 0, tar, 0, 8);
    Path file = Files.write(temporary.resolve("ancient.pt"), tar);
    CorruptCheckpointException refused =
        assertThrows(CorruptCheckpointException.class, () -> TorchFileReader.open(file));
    assertTrue(refused.found().contains("0.1.10"), refused.found());
  }

  /** Big enough that the reader maps the view instead of copying it. */
  @Test
  void gathersATransposedMatrixOfManyMegabytes() throws IOException {
    int rows = 5_000;
    int columns = 1_000;
    byte[] data = new byte[rows * columns * Integer.BYTES];
    ByteBuffer numbers = ByteBuffer.wrap(data).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < rows * columns; i++) {
      numbers.putInt(i);
    }
    Pickle pickle =
        new Pickle()
            .raw(0x80, 2)
            .ascii("ctorch._utils\n_rebuild_tensor\n((")
            .text("storage")
            .ascii("ctorch\nIntStorage\n")
            .text("0")
            .text("cpu")
            .integer((long) rows * columns)
            .ascii("tQ")
            .integer(0)
            .integer(columns)
            .integer(rows)
            .raw(0x86)
            .integer(1)
            .integer(columns)
            .raw(0x86, 't', 'R', '.');
    Path file = temporary.resolve("transposed.pt");
    Files.write(file, legacy(pickle, "0", (long) rows * columns, data));
    try (TorchFileReader reader = TorchFileReader.open(file)) {
      TensorReference tensor = (TensorReference) reader.root();
      ByteBuffer row = ByteBuffer.allocate(rows * Integer.BYTES).order(ByteOrder.LITTLE_ENDIAN);
      reader.read(tensor, 999L * row.capacity(), row);
      int[] expected = new int[rows];
      Arrays.setAll(expected, i -> i * columns + 999);
      int[] found = new int[rows];
      row.flip().asIntBuffer().get(found);
      assertArrayEquals(expected, found);
    }
  }
}
