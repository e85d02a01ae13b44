package io.github.pretrain4j.dataset;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.pretrain4j.dataset.storage.MappedFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.LongStream;
import org.jspecify.annotations.NullUnmarked;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Every element type, sequence modes, views, threads, and sizes past every 32-bit limit. */
@NullUnmarked // JUnit injects, and assertions check, what the compiler cannot see
class IndexedDatasetFormatTest {
  private static final String MULTIMODAL_INDEX =
      "4d4d49444944580000010000000000000004020000000000000002000000000000000200000001000000"
          + "00000000000000000800000000000000000000000000000002000000000000000001";

  @TempDir Path temporary;

  static LongStream seeds() {
    Long replay = Long.getLong("test.seed");
    return replay == null ? LongStream.range(0, 20) : LongStream.of(replay);
  }

  private Path prefix() {
    return temporary.resolve("x");
  }

  private byte[] bytesOf(String suffix) throws IOException {
    return Files.readAllBytes(Path.of(prefix() + suffix));
  }

  private interface Filling {
    void fill(IndexedDatasetWriter writer) throws IOException;
  }

  private void write(TokenType type, Filling filling) throws IOException {
    try (IndexedDatasetWriter writer = IndexedDatasetWriter.create(prefix(), type)) {
      filling.fill(writer);
      writer.endDocument();
      writer.finish();
    }
  }

  @ParameterizedTest
  @EnumSource(TokenType.class)
  void elementsOfEveryTypeAreReadAsWhatTheyAre(TokenType type) throws IOException {
    long[] elements =
        switch (type) {
          case UINT8 -> new long[] {0, 1, 127, 128, 255};
          case INT8 -> new long[] {0, 1, 127, -128, -1};
          case INT16 -> new long[] {0, 1, 32767, -32768, -1};
          case UINT16 -> new long[] {0, 1, 32768, 65535};
          case INT32 -> new long[] {0, Integer.MAX_VALUE, Integer.MIN_VALUE};
          case INT64 -> new long[] {0, Long.MAX_VALUE, Long.MIN_VALUE, (1L << 53) + 1};
          case FLOAT64 -> new long[] {0, 1L << 53, -(1L << 53), 1L << 62};
          case FLOAT32 -> new long[] {0, 1 << 24, -(1 << 24), 1L << 40};
        };
    write(type, writer -> writer.addSequence(elements, 0, elements.length));
    try (IndexedDataset dataset = IndexedDataset.open(prefix())) {
      TokenSpan span = dataset.span(0);
      long[] read = new long[elements.length];
      span.copyTo(0, read, 0, read.length);
      assertArrayEquals(elements, read);
      for (int i = 0; i < elements.length; i++) {
        assertEquals(elements[i], span.getLong(i));
      }
    }
  }

  @Test
  void fractionsAndInfinitiesAreReadAsDoublesOnly() throws IOException {
    double[] elements = {0.5, -1.25, Double.NaN, Double.POSITIVE_INFINITY, 0x1p63, 3};
    for (TokenType type : List.of(TokenType.FLOAT32, TokenType.FLOAT64)) {
      write(type, writer -> writer.addSequence(elements, 0, elements.length));
      try (IndexedDataset dataset = IndexedDataset.open(prefix())) {
        TokenSpan span = dataset.span(0);
        double[] read = new double[elements.length];
        span.copyTo(0, read, 0, read.length);
        assertArrayEquals(elements, read);
        assertEquals(-1.25, span.getDouble(1));
        for (int i = 0; i < 5; i++) {
          int at = i;
          CorruptDatasetException e =
              assertThrows(CorruptDatasetException.class, () -> span.getLong(at));
          assertEquals((long) i * type.bytes(), e.byteOffset());
          assertThrows(CorruptDatasetException.class, () -> span.get(at));
        }
        assertEquals(3, span.getLong(5));
        assertEquals(3, span.get(5));
        long[] target = new long[6];
        assertThrows(CorruptDatasetException.class, () -> span.copyTo(0, target, 0, 6));
      }
    }
  }

  @Test
  void aLongThatADoubleWouldRoundIsNoDouble() throws IOException {
    long[] elements = {(1L << 53) + 1, Long.MAX_VALUE, Long.MIN_VALUE, 1L << 60};
    write(TokenType.INT64, writer -> writer.addSequence(elements, 0, elements.length));
    try (IndexedDataset dataset = IndexedDataset.open(prefix())) {
      TokenSpan span = dataset.span(0);
      assertThrows(CorruptDatasetException.class, () -> span.getDouble(0));
      assertThrows(CorruptDatasetException.class, () -> span.getDouble(1));
      assertEquals(-0x1p63, span.getDouble(2));
      assertEquals(0x1p60, span.getDouble(3));
      assertThrows(CorruptDatasetException.class, () -> span.copyTo(0, new double[4], 0, 4));
    }
  }

  @Test
  void refusesElementsThatWouldBeRounded() throws IOException {
    try (IndexedDatasetWriter writer = IndexedDatasetWriter.create(prefix(), TokenType.FLOAT32)) {
      long[] inexact = {1, (1 << 24) + 1};
      assertThrows(IllegalArgumentException.class, () -> writer.addSequence(inexact, 0, 2));
      double[] fine = {1, 0.1};
      assertThrows(IllegalArgumentException.class, () -> writer.addSequence(fine, 0, 2));
      assertEquals(0, writer.tokenCount());
      assertEquals(0, writer.sequenceCount());
    }
    try (IndexedDatasetWriter writer = IndexedDatasetWriter.create(prefix(), TokenType.UINT16)) {
      for (double element : new double[] {0.5, -1, 65536, Double.NaN}) {
        double[] elements = {element};
        assertThrows(IllegalArgumentException.class, () -> writer.addSequence(elements, 0, 1));
      }
      assertThrows(
          IllegalArgumentException.class, () -> writer.addSequence(new long[] {1L << 40}, 0, 1));
      writer.addSequence(new double[] {65535, 7}, 0, 2);
      writer.endDocument();
      writer.finish();
    }
    try (IndexedDataset dataset = IndexedDataset.open(prefix())) {
      assertArrayEquals(new int[] {65535, 7}, dataset.sequence(0));
    }
  }

  /** Bytes from the format's description. */
  @Test
  void writesAndReadsMultimodalFiles() throws IOException {
    try (IndexedDatasetWriter writer =
        IndexedDatasetWriter.createMultimodal(prefix(), TokenType.INT32)) {
      writer.addDocument(new int[] {1, 2, 3}, new int[] {2, 1}, new byte[] {0, 1});
      writer.finish();
    }
    assertEquals(MULTIMODAL_INDEX, HexFormat.of().formatHex(bytesOf(".idx")));
    for (OpenOptions.Modes modes : List.of(OpenOptions.Modes.DETECT, OpenOptions.Modes.REQUIRE)) {
      try (IndexedDataset dataset =
          IndexedDataset.open(prefix(), OpenOptions.defaults().withModes(modes))) {
        assertTrue(dataset.hasModes());
        assertEquals(0, dataset.mode(0));
        assertEquals(1, dataset.mode(1));
        assertThrows(IndexOutOfBoundsException.class, () -> dataset.mode(2));
      }
    }
    OpenOptions refuse = OpenOptions.defaults().withModes(OpenOptions.Modes.REFUSE);
    CorruptDatasetException e =
        assertThrows(CorruptDatasetException.class, () -> IndexedDataset.open(prefix(), refuse));
    assertEquals(
        prefix()
            + ".idx: sequence modes at byte 74: expected none, found 2 bytes behind the arrays",
        e.getMessage());
  }

  @Test
  void aPlainFileHasNoModes() throws IOException {
    try (IndexedDatasetWriter writer = IndexedDatasetWriter.create(prefix(), TokenType.INT32)) {
      assertThrows(
          IllegalStateException.class,
          () -> writer.addDocument(new int[] {1}, new int[] {1}, new byte[] {0}));
      assertThrows(
          IllegalStateException.class, () -> writer.addSequence(new int[] {1}, 0, 1, (byte) 1));
      writer.addDocument(new int[] {1}, new int[] {1});
      writer.finish();
    }
    try (IndexedDataset dataset = IndexedDataset.open(prefix())) {
      assertFalse(dataset.hasModes());
      assertThrows(IllegalStateException.class, () -> dataset.mode(0));
    }
    OpenOptions require = OpenOptions.defaults().withModes(OpenOptions.Modes.REQUIRE);
    CorruptDatasetException e =
        assertThrows(CorruptDatasetException.class, () -> IndexedDataset.open(prefix(), require));
    assertTrue(e.getMessage().contains("expected 1 bytes of them, found 0 bytes"), e.getMessage());
  }

  @Test
  void aDocumentsLengthsMustAddUpToItsTokens() throws IOException {
    try (IndexedDatasetWriter writer = IndexedDatasetWriter.create(prefix(), TokenType.INT32)) {
      int[] tokens = {1, 2, 3};
      for (int[] lengths : new int[][] {{}, {2}, {2, 2}, {4, -1}, {Integer.MAX_VALUE, 3}}) {
        assertThrows(IllegalArgumentException.class, () -> writer.addDocument(tokens, lengths));
      }
      writer.addDocument(tokens, new int[] {0, 2, 1});
      writer.addDocument(new int[0], new int[0]);
      writer.addDocument(new int[0], new int[] {0});
      writer.addSequence(tokens, 0, 1);
      assertThrows(IllegalStateException.class, () -> writer.addDocument(tokens, new int[] {3}));
      writer.endDocument();
      writer.finish();
    }
    try (IndexedDataset dataset = IndexedDataset.open(prefix())) {
      assertEquals(4, dataset.documentCount());
      assertEquals(5, dataset.sequenceCount());
      assertEquals(4, dataset.firstSequence(3));
    }
  }

  @Test
  void anEmptyDatasetHasTheFormatsBytesAndCanBeRead() throws IOException {
    try (IndexedDatasetWriter writer = IndexedDatasetWriter.create(prefix(), TokenType.UINT16)) {
      writer.finish();
    }
    assertEquals(
        "4d4d4944494458000001000000000000000800000000000000000100000000000000" + "0".repeat(16),
        HexFormat.of().formatHex(bytesOf(".idx")));
    assertEquals(0, bytesOf(".bin").length);
    try (IndexedDataset dataset = IndexedDataset.open(prefix())) {
      dataset.verify();
      assertEquals(0, dataset.span(0, 0).length());
      assertEquals(List.of(), dataset.span(0, 0).buffers());
    }
  }

  /** Views over chunks of 8 to 64 bytes give what one array gives. */
  @ParameterizedTest(name = "-Dtest.seed={0}")
  @MethodSource("seeds")
  void viewsSeeOneStretchOfTokens(long seed) throws IOException {
    Random random = new Random(seed);
    List<TokenType> types = List.of(TokenType.values());
    TokenType type = types.get(random.nextInt(types.size()));
    List<int[]> sequences = new ArrayList<>();
    try (IndexedDatasetWriter writer = IndexedDatasetWriter.create(prefix(), type)) {
      for (int d = 0; d < 10; d++) {
        for (int s = random.nextInt(4); s > 0; s--) {
          sequences.add(random.ints(random.nextInt(40), 0, 100).toArray());
          int[] last = sequences.get(sequences.size() - 1);
          writer.addSequence(last, 0, last.length);
        }
        writer.endDocument();
      }
      writer.finish();
    }
    int[] all = sequences.stream().flatMapToInt(Arrays::stream).toArray();
    MappedFile data = MappedFile.open(IndexedDataset.dataFile(prefix()), 3 + random.nextInt(4));
    MappedFile index = MappedFile.open(IndexedDataset.indexFile(prefix()), 6 + random.nextInt(4));
    try (IndexedDataset dataset =
        IndexedDataset.of("x", prefix(), index, data, () -> {}, OpenOptions.defaults())) {
      TokenSpan span = dataset.span(0, dataset.sequenceCount());
      assertArrayEquals(all, span.toArray());
      for (int i = 0; i < all.length; i++) {
        assertEquals(all[i], span.get(i));
        assertEquals(all[i], span.getDouble(i));
      }
      ByteBuffer joined = ByteBuffer.allocate(all.length * type.bytes());
      for (ByteBuffer piece : span.buffers()) {
        assertTrue(piece.isReadOnly());
        assertEquals(ByteOrder.LITTLE_ENDIAN, piece.order());
        assertEquals(0, piece.remaining() % type.bytes());
        joined.put(piece);
      }
      assertArrayEquals(bytesOf(".bin"), joined.array());
      int from = random.nextInt(all.length + 1);
      int count = random.nextInt(all.length - from + 1);
      assertArrayEquals(
          Arrays.copyOfRange(all, from, from + count), span.slice(from, count).toArray());
      for (long d = 0; d < dataset.documentCount(); d++) {
        int first = (int) dataset.firstSequence(d);
        int next = (int) dataset.firstSequence(d + 1);
        assertArrayEquals(
            sequences.subList(first, next).stream().flatMapToInt(Arrays::stream).toArray(),
            dataset.document(d).toArray());
      }
      assertThrows(IndexOutOfBoundsException.class, () -> span.get(all.length));
      assertThrows(IndexOutOfBoundsException.class, () -> span.slice(0, all.length + 1));
      assertThrows(IndexOutOfBoundsException.class, () -> dataset.span(0, sequences.size() + 1));
    }
  }

  @Test
  void aViewOutlivesItsDataset() throws IOException {
    write(TokenType.INT32, writer -> writer.addSequence(new int[] {1, 2, 3}, 0, 3));
    IndexedDataset dataset = IndexedDataset.open(prefix());
    TokenSpan span = dataset.span(0);
    dataset.close();
    assertArrayEquals(new int[] {1, 2, 3}, span.toArray());
  }

  @Test
  void manyThreadsReadWhatOneDoes() throws Exception {
    int sequences = 2000;
    try (IndexedDatasetWriter writer = IndexedDatasetWriter.create(prefix(), TokenType.INT32)) {
      for (int i = 0; i < sequences; i++) {
        int[] tokens = new Random(i).ints(i % 97).toArray();
        writer.addDocument(tokens, new int[] {tokens.length});
      }
      writer.finish();
    }
    ExecutorService threads = Executors.newFixedThreadPool(8);
    try (IndexedDataset dataset = IndexedDataset.open(prefix())) {
      List<Future<?>> done = new ArrayList<>();
      for (int t = 0; t < 8; t++) {
        Random order = new Random(t);
        done.add(
            threads.submit(
                () -> {
                  for (int n = 0; n < 5000; n++) {
                    int i = order.nextInt(sequences);
                    assertArrayEquals(new Random(i).ints(i % 97).toArray(), dataset.sequence(i));
                  }
                  return null;
                }));
      }
      for (Future<?> each : done) {
        each.get();
      }
    } finally {
      threads.shutdownNow();
    }
  }

  private static void putAt(FileChannel channel, long at, ByteBuffer bytes) throws IOException {
    while (bytes.hasRemaining()) {
      channel.write(bytes, at + bytes.position());
    }
  }

  private static ByteBuffer longs(long... values) {
    ByteBuffer bytes = ByteBuffer.allocate(8 * values.length).order(ByteOrder.LITTLE_ENDIAN);
    for (long value : values) {
      bytes.putLong(value);
    }
    return bytes.flip();
  }

  private static ByteBuffer ints(int... values) {
    ByteBuffer bytes = ByteBuffer.allocate(4 * values.length).order(ByteOrder.LITTLE_ENDIAN);
    for (int value : values) {
      bytes.putInt(value);
    }
    return bytes.flip();
  }

  private static FileChannel sparse(Path file) throws IOException {
    return FileChannel.open(
        file, StandardOpenOption.CREATE_NEW, StandardOpenOption.SPARSE, StandardOpenOption.WRITE);
  }

  /** Two sequences of 1.2 GiB and one behind them, in a file that is mostly a hole. */
  @Test
  void readsPastTwoGibibytes() throws IOException {
    int length = 300 << 20;
    long end = 4L * (2L * length + 3);
    try (FileChannel data = sparse(IndexedDataset.dataFile(prefix()));
        FileChannel index = sparse(IndexedDataset.indexFile(prefix()))) {
      putAt(data, 4L * length - 4, ints(5, 6)); // around the border of the two
      putAt(data, (1L << 31) - 4, ints(8, 9)); // around 2 GiB
      putAt(data, end - 12, ints(1, 2, 3));
      IndexHeader header = new IndexHeader(TokenType.INT32, 3, 2);
      putAt(index, 0, ByteBuffer.wrap(header.toBytes()));
      putAt(index, header.lengthAt(0), ints(length, length, 3));
      putAt(index, header.pointerAt(0), longs(0, 4L * length, 8L * length));
      putAt(index, header.documentAt(0), longs(0, 3));
    }
    try (IndexedDataset dataset = IndexedDataset.open(prefix())) {
      dataset.verifyIndex();
      assertEquals(2L * length + 3, dataset.tokenCount());
      assertArrayEquals(new int[] {1, 2, 3}, dataset.sequence(2));
      assertEquals(5, dataset.span(0).get(length - 1));
      TokenSpan all = dataset.document(0);
      assertEquals(2L * length + 3, all.length());
      assertEquals(6, all.get(length));
      int[] aroundTwoGibibytes = new int[4];
      all.copyTo((1L << 29) - 2, aroundTwoGibibytes, 0, 4);
      assertArrayEquals(new int[] {0, 8, 9, 0}, aroundTwoGibibytes);
      assertEquals(3, all.buffers().size());
    }
  }

  /** More sequences than an int counts, all but the last one empty, in a hole of 24 GiB. */
  @Test
  void readsPastTwoToTheThirtyOneSequences() throws IOException {
    long sequences = (1L << 31) + 5;
    IndexHeader header = new IndexHeader(TokenType.UINT16, sequences, 3);
    try (FileChannel data = sparse(IndexedDataset.dataFile(prefix()));
        FileChannel index = sparse(IndexedDataset.indexFile(prefix()))) {
      putAt(data, 0, ints(7 << 16 | 6));
      putAt(index, 0, ByteBuffer.wrap(header.toBytes()));
      putAt(index, header.lengthAt(sequences - 1), ints(2));
      putAt(index, header.documentAt(0), longs(0, sequences - 1, sequences));
    }
    try (IndexedDataset dataset = IndexedDataset.open(prefix())) {
      assertEquals(sequences, dataset.sequenceCount());
      assertEquals(0, dataset.sequenceLength(sequences - 2));
      assertArrayEquals(new int[0], dataset.sequence((1L << 31) + 1));
      assertArrayEquals(new int[] {6, 7}, dataset.sequence(sequences - 1));
      assertEquals(sequences - 1, dataset.firstSequence(1));
      assertArrayEquals(new int[] {6, 7}, dataset.document(1).toArray());
      assertArrayEquals(new int[] {0, 2}, dataset.sequenceLengths(sequences - 2, 2));
    }
  }
}
