package io.github.pretrain4j.checkpoint.distributed;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.pretrain4j.checkpoint.CorruptCheckpointException;
import io.github.pretrain4j.checkpoint.DataType;
import io.github.pretrain4j.checkpoint.PickleObject;
import io.github.pretrain4j.checkpoint.PlannedFiles;
import io.github.pretrain4j.checkpoint.TensorContent;
import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.TensorSource;
import io.github.pretrain4j.checkpoint.distributed.DistributedFiles.ObjectItem;
import io.github.pretrain4j.checkpoint.distributed.DistributedFiles.Part;
import io.github.pretrain4j.checkpoint.distributed.DistributedFiles.TensorItem;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Tensors cut into boxes at random come back whole; damage of every kind is told. */
final class DistributedCheckpointTest {
  private static final TensorContent NO_TENSORS =
      (tensor, out) -> {
        throw new IllegalStateException();
      };
  private static final PickleObject OBJECT =
      new PickleObject.PyList(List.of(PickleObject.of("state")));

  static LongStream seeds() {
    Long replay = Long.getLong("test.seed");
    return replay == null ? LongStream.range(0, 20) : LongStream.of(replay);
  }

  @ParameterizedTest(name = "-Dtest.seed={0}")
  @MethodSource("seeds")
  void putsBoxesTogether(long seed, @TempDir Path directory) throws IOException {
    Random random = new Random(seed);
    List<byte[]> data = new ArrayList<>();
    List<TensorInfo> tensors = new ArrayList<>();
    List<List<TensorItem>> files = List.of(new ArrayList<>(), new ArrayList<>());
    for (int i = 0; i < 3; i++) {
      List<Long> shape = shape(random);
      DataType type = List.of(DataType.BF16, DataType.F32, DataType.U8).get(i);
      TensorInfo info = new TensorInfo("tensor." + i, type, shape);
      byte[] bytes = new byte[(int) info.byteCount()];
      random.nextBytes(bytes);
      tensors.add(info);
      data.add(bytes);
      List<Chunk> chunks = new ArrayList<>();
      split(Chunk.whole(shape), random, 5, chunks);
      Collections.shuffle(chunks, random);
      for (Chunk chunk : chunks) {
        files.get(random.nextInt(2)).add(item(info, chunk, bytes));
      }
    }
    write(
        directory,
        new Part(List.of(new ObjectItem("object/shard_0_1", OBJECT, NO_TENSORS)), files.get(0)),
        new Part(List.of(), files.get(1)));
    try (DistributedCheckpoint checkpoint = DistributedCheckpoint.open(directory)) {
      TensorSource source = checkpoint.tensors();
      assertEquals(Map.of(), difference(tensors, source.tensors()));
      assertEquals(List.of("object/shard_0_1"), checkpoint.objectKeys());
      assertEquals(OBJECT, checkpoint.object("object/shard_0_1").root());
      for (int i = 0; i < tensors.size(); i++) {
        byte[] expected = data.get(i);
        assertArrayEquals(expected, read(source, "tensor." + i, 0, expected.length));
        for (int piece = 0; piece < 20; piece++) {
          int from = random.nextInt(expected.length + 1);
          int to = from + random.nextInt(expected.length - from + 1);
          assertArrayEquals(
              Arrays.copyOfRange(expected, from, to),
              read(source, "tensor." + i, from, to - from),
              from + " to " + to);
        }
        assertThrows(
            IllegalArgumentException.class,
            () -> source.read("tensor.0", -1, ByteBuffer.allocate(1)));
      }
      checkpoint.verify();
    }
  }

  private static Map<String, TensorInfo> difference(List<TensorInfo> a, List<TensorInfo> b) {
    Map<String, TensorInfo> difference = new TreeMap<>();
    a.forEach(info -> difference.put(info.name(), info));
    b.forEach(info -> assertTrue(difference.remove(info.name(), info), info.toString()));
    return difference;
  }

  private static List<Long> shape(Random random) {
    int rank = random.nextInt(5);
    List<Long> shape = new ArrayList<>();
    for (int axis = 0; axis < rank; axis++) {
      shape.add(1L + random.nextInt(rank > 2 ? 9 : 300));
    }
    return shape;
  }

  /** Cuts a box in two at random, and its halves. */
  private static void split(Chunk box, Random random, int depth, List<Chunk> result) {
    int rank = box.sizes().size();
    int axis = rank == 0 ? 0 : random.nextInt(rank);
    if (depth == 0 || rank == 0 || box.sizes().get(axis) < 2 || random.nextInt(5) == 0) {
      result.add(box);
      return;
    }
    long size = box.sizes().get(axis);
    long cut = 1L + random.nextInt((int) size - 1);
    List<Long> sizes = new ArrayList<>(box.sizes());
    sizes.set(axis, cut);
    split(new Chunk(box.offsets(), sizes), random, depth - 1, result);
    List<Long> offsets = new ArrayList<>(box.offsets());
    offsets.set(axis, offsets.get(axis) + cut);
    sizes.set(axis, size - cut);
    split(new Chunk(offsets, sizes), random, depth - 1, result);
  }

  private static TensorItem item(TensorInfo info, Chunk chunk, byte[] whole) {
    return new TensorItem(
        info, chunk, (tensor, out) -> out.write(ByteBuffer.wrap(cut(info, chunk, whole))));
  }

  /** A box, element by element. */
  private static byte[] cut(TensorInfo info, Chunk chunk, byte[] whole) {
    int width = info.type().bytes();
    long count = chunk.sizes().stream().reduce(1L, (a, b) -> a * b);
    ByteBuffer box = ByteBuffer.allocate((int) count * width);
    for (long i = 0; i < count; i++) {
      long rest = i;
      long at = 0;
      long stride = 1;
      for (int axis = info.shape().size() - 1; axis >= 0; axis--) {
        at += (chunk.offsets().get(axis) + rest % chunk.sizes().get(axis)) * stride;
        rest /= chunk.sizes().get(axis);
        stride *= info.shape().get(axis);
      }
      box.put(whole, (int) at * width, width);
    }
    return box.array();
  }

  private static byte[] read(TensorSource source, String name, long from, int count)
      throws IOException {
    ByteBuffer buffer = ByteBuffer.allocate(count + 2);
    buffer.position(1).limit(1 + count);
    source.read(name, from, buffer);
    assertEquals(1 + count, buffer.position());
    assertEquals(0, buffer.array()[0]);
    assertEquals(0, buffer.array()[count + 1]);
    return Arrays.copyOfRange(buffer.array(), 1, 1 + count);
  }

  private static void write(Path directory, Part... parts) throws IOException {
    PlannedFiles.write(
        directory, DistributedFiles.plan(List.of(parts)), PlannedFiles.Options.DEFAULT);
  }

  /** Rows above and below of a [4, 6] matrix. */
  private static void writeMatrix(Path directory) throws IOException {
    TensorInfo info = new TensorInfo("matrix", DataType.F32, List.of(4L, 6L));
    byte[] bytes = new byte[96];
    new Random(1).nextBytes(bytes);
    write(
        directory,
        new Part(
            List.of(new ObjectItem("object", OBJECT, NO_TENSORS)),
            List.of(
                item(info, new Chunk(List.of(0L, 0L), List.of(1L, 6L)), bytes),
                item(info, new Chunk(List.of(1L, 0L), List.of(3L, 6L)), bytes))));
  }

  @Test
  void putsFlatShardsTogether(@TempDir Path directory) throws IOException {
    // a [4, 6] matrix sharded 2 by 3: shards of 2 rows and 2 columns, each a flat run of 4, one of
    // the runs in two pieces as two data parallel ranks had it
    TensorInfo flat = new TensorInfo("state", DataType.U8, List.of(2L, 3L, 4L));
    byte[] runs = new byte[24];
    byte[] expected = new byte[24];
    for (int row = 0; row < 4; row++) {
      for (int column = 0; column < 6; column++) {
        int shard = row / 2 * 3 + column / 2;
        runs[shard * 4 + row % 2 * 2 + column % 2] = (byte) (10 * row + column);
        expected[row * 6 + column] = (byte) (10 * row + column);
      }
    }
    List<TensorItem> items = new ArrayList<>();
    for (long x = 0; x < 2; x++) {
      for (long y = 0; y < 3; y++) {
        long cut = x + y == 0 ? 3 : 4;
        items.add(item(flat, new Chunk(List.of(x, y, 0L), List.of(1L, 1L, cut)), runs));
        if (cut < 4) {
          items.add(item(flat, new Chunk(List.of(x, y, cut), List.of(1L, 1L, 4 - cut)), runs));
        }
      }
    }
    write(directory, new Part(List.of(), items));
    try (DistributedCheckpoint checkpoint = DistributedCheckpoint.open(directory)) {
      TensorSource whole = checkpoint.fromFlatShards("state", List.of(4L, 6L));
      assertArrayEquals(expected, read(whole, "state", 0, 24));
      assertArrayEquals(Arrays.copyOfRange(expected, 5, 17), read(whole, "state", 5, 12));
      assertThrows(
          IllegalArgumentException.class,
          () -> checkpoint.fromFlatShards("state", List.of(4L, 5L)));
      assertThrows(
          IllegalArgumentException.class, () -> checkpoint.fromFlatShards("state", List.of(24L)));
    }
  }

  @Test
  void refusesChunksThatDoNotTile() {
    List<Long> shape = List.of(4L, 4L);
    Chunk top = new Chunk(List.of(0L, 0L), List.of(2L, 4L));
    Chunk bottom = new Chunk(List.of(2L, 0L), List.of(2L, 4L));
    assertEquals(null, Tiling.problem(shape, List.of(top, bottom)));
    for (List<Chunk> wrong :
        List.of(
            List.of(top),
            List.of(top, top),
            List.of(top, bottom, top),
            List.of(top, new Chunk(List.of(1L, 0L), List.of(2L, 4L))),
            List.of(top, new Chunk(List.of(2L, 2L), List.of(2L, 4L))),
            List.of(top, new Chunk(List.of(2L), List.of(2L))),
            // as many elements, but one twice and one never
            List.of(
                new Chunk(List.of(0L, 0L), List.of(3L, 4L)),
                new Chunk(List.of(2L, 0L), List.of(1L, 4L))))) {
      assertFalse(String.valueOf(Tiling.problem(shape, wrong)).equals("null"), wrong.toString());
    }
  }

  @Test
  void tellsWhatIsWrongWithDataFiles(@TempDir Path directory) throws IOException {
    writeMatrix(directory);
    Path file = directory.resolve("__0_0.distcp");
    byte[] good = Files.readAllBytes(file);
    Files.delete(file);
    assertTrue(openFails(directory).contains("__0_0.distcp is missing"));
    Files.write(file, Arrays.copyOf(good, good.length - 1));
    assertTrue(openFails(directory).contains("its items need " + good.length));
    Files.write(file, new byte[0]);
    assertTrue(openFails(directory).contains("has 0 bytes"));
    Files.write(file, Arrays.copyOf(good, good.length + 5)); // items say where they end
    try (DistributedCheckpoint checkpoint = DistributedCheckpoint.open(directory)) {
      checkpoint.verify();
    }
    Files.write(file, new byte[good.length]);
    try (DistributedCheckpoint checkpoint = DistributedCheckpoint.open(directory)) {
      assertThrows(
          CorruptCheckpointException.class, () -> read(checkpoint.tensors(), "matrix", 0, 96));
      assertThrows(CorruptCheckpointException.class, () -> checkpoint.object("object"));
      assertThrows(CorruptCheckpointException.class, checkpoint::verify);
    }
  }

  @Test
  void findsABitThatFlippedInAnyItem(@TempDir Path directory) throws IOException {
    writeMatrix(directory);
    Path file = directory.resolve("__0_0.distcp");
    byte[] good = Files.readAllBytes(file);
    byte[] expected;
    List<StoredItem> items;
    try (DistributedCheckpoint checkpoint = DistributedCheckpoint.open(directory)) {
      expected = read(checkpoint.tensors(), "matrix", 0, 96);
      items = Objects.requireNonNull(checkpoint.places().get("__0_0.distcp"));
    }
    int found = 0;
    for (StoredItem item : items) {
      for (long at = item.byteOffset(); at < item.end(); at += 211) {
        byte[] bad = good.clone();
        bad[(int) at] ^= 4;
        Files.write(file, bad);
        try (DistributedCheckpoint checkpoint = DistributedCheckpoint.open(directory)) {
          checkpoint.verify();
          // padding and the like may change unseen, data may not
          assertArrayEquals(expected, read(checkpoint.tensors(), "matrix", 0, 96));
        } catch (CorruptCheckpointException e) {
          found++;
        }
      }
    }
    assertTrue(found > 5, found + " found");
  }

  /** Texts of one length, so that only what they say changes. */
  @Test
  void tellsWhatIsWrongWithTheMetadata(@TempDir Path directory) throws IOException {
    writeMatrix(directory);
    Path file = directory.resolve(".metadata");
    byte[] good = Files.readAllBytes(file);
    Map<String, String> damages =
        Map.of(
            "state_dict_metadata", "state_dict_metadatA",
            "storage_data", "storage_datA",
            "TensorStorageMetadata", "TensorStorageMetadatA",
            "float32", "float33",
            "relative_path", "relative_patH",
            "__0_0.distcp", "../_0.distcp",
            "offset", "offseT",
            "chunks", "chunkS",
            "sizes", "sizeS",
            "Size", "SizE");
    for (Map.Entry<String, String> damage : damages.entrySet()) {
      String text = new String(good, StandardCharsets.ISO_8859_1);
      assertTrue(text.contains(damage.getKey()), damage.getKey());
      Files.write(
          file,
          text.replace(damage.getKey(), damage.getValue()).getBytes(StandardCharsets.ISO_8859_1));
      openFails(directory);
    }
    for (int length = 0; length < good.length; length += 31) {
      Files.write(file, Arrays.copyOf(good, length));
      openFails(directory);
    }
    Files.delete(file);
    assertThrows(IOException.class, () -> DistributedCheckpoint.open(directory));
    assertFalse(DistributedCheckpoint.isIn(directory));
  }

  @Test
  void refusesAChunkThatIsNotWhatTheMetadataSays(@TempDir Path directory) throws IOException {
    Path other = directory.resolve("other");
    Path one = directory.resolve("one");
    TensorInfo f32 = new TensorInfo("t", DataType.F32, List.of(2L, 3L));
    TensorInfo turned = new TensorInfo("t", DataType.F32, List.of(3L, 2L));
    write(one, new Part(List.of(), List.of(item(f32, Chunk.whole(f32.shape()), new byte[24]))));
    write(
        other,
        new Part(List.of(), List.of(item(turned, Chunk.whole(turned.shape()), new byte[24]))));
    Files.copy(
        other.resolve("__0_0.distcp"),
        one.resolve("__0_0.distcp"),
        StandardCopyOption.REPLACE_EXISTING);
    try (DistributedCheckpoint checkpoint = DistributedCheckpoint.open(one)) {
      CorruptCheckpointException e =
          assertThrows(
              CorruptCheckpointException.class, () -> read(checkpoint.tensors(), "t", 0, 24));
      assertTrue(e.found().contains("[3, 2]"), e.getMessage());
    }
  }

  @Test
  void saysThatItIsClosed(@TempDir Path directory) throws IOException {
    writeMatrix(directory);
    DistributedCheckpoint checkpoint = DistributedCheckpoint.open(directory);
    checkpoint.close();
    checkpoint.close();
    assertThrows(IllegalStateException.class, () -> read(checkpoint.tensors(), "matrix", 0, 96));
  }

  private static String openFails(Path directory) {
    return String.valueOf(
        assertThrows(
                CorruptCheckpointException.class,
                () -> DistributedCheckpoint.open(directory).close())
            .getMessage());
  }
}
