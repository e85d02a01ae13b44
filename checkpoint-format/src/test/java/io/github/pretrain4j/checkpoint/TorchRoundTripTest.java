package io.github.pretrain4j.checkpoint;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.github.pretrain4j.checkpoint.PickleObject.ObjectState;
import io.github.pretrain4j.checkpoint.PickleObject.ObjectState.Construction;
import io.github.pretrain4j.checkpoint.PickleObject.PyBytes;
import io.github.pretrain4j.checkpoint.PickleObject.PyDict;
import io.github.pretrain4j.checkpoint.PickleObject.PyFloat;
import io.github.pretrain4j.checkpoint.PickleObject.PyGlobal;
import io.github.pretrain4j.checkpoint.PickleObject.PyInt;
import io.github.pretrain4j.checkpoint.PickleObject.PyList;
import io.github.pretrain4j.checkpoint.PickleObject.PySet;
import io.github.pretrain4j.checkpoint.PickleObject.PyTuple;
import java.io.IOException;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Torch files we write are read back equal: trees, views, data. */
class TorchRoundTripTest {
  private final Path temporary;

  TorchRoundTripTest(@TempDir Path temporary) {
    this.temporary = temporary;
  }

  /** Makes trees of all kinds of objects; storages are numbered as a file numbers them. */
  private static final class Trees {
    private final Random random;
    private int storageCount;

    Trees(long seed) {
      random = new Random(seed);
    }

    PickleObject tree(int depth) {
      int kind = random.nextInt(depth > 0 ? 17 : 10);
      return switch (kind) {
        case 0 -> PickleObject.none();
        case 1 -> PickleObject.of(random.nextBoolean());
        case 2 -> PickleObject.of((long) random.nextInt(70_000) - 200);
        case 3 -> new PyInt(new BigInteger(random.nextInt(200), random).subtract(BigInteger.TEN));
        case 4 -> new PyFloat(Double.longBitsToDouble(random.nextLong()));
        case 5 -> PickleObject.of("é\u0000\uD800権" + random.nextInt(3));
        case 6 -> bytes();
        case 7 -> PyGlobal.of(DataType.BF16);
        case 8, 9 -> tensor();
        case 10, 11 -> new PyList(items(depth));
        case 12 -> new PyTuple(items(depth));
        case 13 -> new PySet(List.of(PickleObject.of(1), PickleObject.of("x")));
        case 14, 15 -> dict(depth);
        default -> object(depth);
      };
    }

    private PickleObject bytes() {
      byte[] bytes = new byte[random.nextInt(300)];
      random.nextBytes(bytes);
      return PyBytes.of(bytes);
    }

    private List<PickleObject> items(int depth) {
      int count = random.nextInt(40) == 0 ? 2100 : random.nextInt(6);
      List<PickleObject> items = new ArrayList<>();
      for (int i = 0; i < count; i++) {
        items.add(count > 100 ? PickleObject.of(i) : tree(depth - 1));
      }
      return items;
    }

    private PyDict dict(int depth) {
      Map<PickleObject, PickleObject> entries = new LinkedHashMap<>();
      for (PickleObject item : items(depth)) {
        PickleObject key =
            random.nextBoolean()
                ? PickleObject.of("k" + entries.size())
                : PyTuple.of(PickleObject.of(entries.size()), PickleObject.of("k"));
        entries.put(key, item);
      }
      return new PyDict(random.nextBoolean(), entries);
    }

    private PickleObject object(int depth) {
      if (random.nextBoolean()) {
        Map<String, PickleObject> attributes = new LinkedHashMap<>();
        for (PickleObject item : items(depth)) {
          attributes.put("a" + attributes.size(), item);
        }
        return ObjectState.namespace(attributes);
      }
      // In the order in which a pickle holds them, which numbers the storages.
      PyTuple arguments = new PyTuple(items(depth));
      List<PickleObject> elements = items(depth);
      PyDict entries = dict(depth);
      return new ObjectState(
          new PyGlobal("some.module", "Class" + random.nextInt(2)),
          random.nextBoolean() ? Construction.CALL : Construction.NEW,
          arguments,
          random.nextBoolean() ? tree(depth - 1) : null,
          elements,
          entries.entries());
    }

    private TensorReference tensor() {
      List<DataType> types = List.of(DataType.values());
      DataType type = types.get(random.nextInt(types.size()));
      String key = Integer.toString(storageCount++);
      List<Long> shape = new ArrayList<>();
      for (int rank = random.nextInt(4); rank > 0; rank--) {
        shape.add((long) random.nextInt(5));
      }
      TensorReference packed = TensorReference.contiguous(key, type, shape);
      if (random.nextBoolean() || shape.size() < 2) {
        return packed;
      }
      List<Long> swapped = new ArrayList<>(shape);
      List<Long> strides = new ArrayList<>(packed.strides());
      swapped.add(0, swapped.remove(shape.size() - 1));
      strides.add(0, strides.remove(shape.size() - 1));
      TensorStorage larger =
          new TensorStorage(key, packed.storage().byteCount() + 3L * type.bytes());
      return new TensorReference(
          type, larger, 2, swapped, strides, random.nextBoolean(), random.nextBoolean());
    }
  }

  private static byte[] storageBytes(String key, long byteCount) {
    byte[] bytes = new byte[(int) byteCount];
    new Random(key.hashCode()).nextBytes(bytes);
    return bytes;
  }

  private static final TensorContent CONTENT =
      (tensor, out) -> out.write(ByteBuffer.wrap(storageBytes(tensor.name(), tensor.byteCount())));

  /** Packed data of a view, element by element. */
  private static byte[] gathered(TensorReference tensor) {
    byte[] storage = storageBytes(tensor.storage().key(), tensor.storage().byteCount());
    int width = tensor.type().bytes();
    ByteBuffer packed = ByteBuffer.allocate((int) tensor.byteCount());
    for (long element = 0; element < tensor.elementCount(); element++) {
      long rest = element;
      long at = tensor.storageOffset();
      for (int i = tensor.shape().size() - 1; i >= 0; i--) {
        at += rest % tensor.shape().get(i) * tensor.strides().get(i);
        rest /= tensor.shape().get(i);
      }
      packed.put(storage, (int) at * width, width);
    }
    return packed.array();
  }

  @ParameterizedTest(name = "-Dtest.seed={0}")
  @MethodSource("io.github.pretrain4j.checkpoint.Seeds#seeds")
  void readsBackWhatItWrote(long seed) throws IOException {
    Path file = temporary.resolve("tree.pt");
    PickleObject root = new Trees(seed).tree(4);
    TorchFileWriter.write(file, root, CONTENT);
    try (TorchFileReader reader = TorchFileReader.open(file)) {
      assertEquals(root, reader.root());
      reader.verify();
      for (TensorReference tensor : TorchTrees.tensors(root)) {
        byte[] expected = gathered(tensor);
        assertArrayEquals(expected, ExpectedTree.inPieces(reader, tensor, 1 << 20));
        assertArrayEquals(expected, ExpectedTree.inPieces(reader, tensor, 5));
      }
    }
  }

  @Test
  void alignsEveryRecord() throws IOException {
    Path file = temporary.resolve("a.b.pt");
    Map<String, TensorReference> tensors = new LinkedHashMap<>();
    for (long size = 0; size < 20; size++) {
      tensors.put("t" + size, TensorReference.contiguous("t" + size, DataType.I8, List.of(size)));
    }
    TorchFileWriter.write(file, PyDict.of(tensors), CONTENT);
    try (FileBytes bytes = FileBytes.open(file)) {
      ZipDirectory zip = ZipDirectory.read(bytes);
      assertEquals("a.b", zip.archiveName());
      for (ZipRecord record : zip.records().values()) {
        assertEquals(0, record.dataOffset() % 64, record.name());
      }
    }
    try (java.util.zip.ZipFile zip = new java.util.zip.ZipFile(file.toFile())) {
      assertArrayEquals(
          storageBytes("t19", 19), zip.getInputStream(zip.getEntry("a.b/data/19")).readAllBytes());
    }
  }

  @Test
  void sharesStoragesAndWritesThemOnce() throws IOException {
    TensorReference weight = TensorReference.contiguous("w", DataType.F32, List.of(4L, 2L));
    TensorReference row =
        new TensorReference(
            DataType.F32, weight.storage(), 2, List.of(2L), List.of(1L), false, false);
    List<TensorInfo> asked = new ArrayList<>();
    Path file = temporary.resolve("tied.pt");
    TorchFileWriter.write(
        file,
        PyDict.ordered(Map.of("embedding", weight, "head", weight, "row", row)),
        (tensor, out) -> {
          asked.add(tensor);
          CONTENT.write(tensor, out);
        });
    assertEquals(1, asked.size());
    try (TorchFileReader reader = TorchFileReader.open(file);
        TensorSource tensors = reader.tensors((PyDict) reader.root())) {
      assertEquals(3, tensors.tensors().size());
      assertEquals(new TensorInfo("row", DataType.F32, List.of(2L)), tensors.find("row"));
    }
  }

  @Test
  void readsBigEndianStorages() throws IOException {
    Path file = temporary.resolve("big.pt");
    TensorReference values =
        new TensorReference(
            DataType.F32,
            new TensorStorage("x", 24),
            0,
            List.of(3L, 2L),
            List.of(1L, 3L),
            false,
            false);
    TorchFileWriter.write(
        file,
        values,
        (tensor, out) -> {
          ByteBuffer data = ByteBuffer.allocate(24).order(ByteOrder.BIG_ENDIAN);
          for (int i = 0; i < 6; i++) {
            data.putFloat(i);
          }
          out.write(data.flip());
        });
    byte[] bytes = Files.readAllBytes(file);
    String text = new String(bytes, java.nio.charset.StandardCharsets.ISO_8859_1);
    int at = text.indexOf("little", text.indexOf("byteorder"));
    // The same length is needed: "big" and blanks, which readers strip; the CRC is not checked at
    // open.
    System.arraycopy(
        "big   ".getBytes(java.nio.charset.StandardCharsets.US_ASCII), 0, bytes, at, 6);
    Files.write(file, bytes);
    try (TorchFileReader reader = TorchFileReader.open(file)) {
      byte[] packed = ExpectedTree.inPieces(reader, (TensorReference) reader.root(), 3);
      ByteBuffer data = ByteBuffer.wrap(packed).order(ByteOrder.LITTLE_ENDIAN);
      for (float expected : new float[] {0, 3, 1, 4, 2, 5}) {
        assertEquals(expected, data.getFloat());
      }
    }
  }

  @Test
  void failedWriteLeavesWhatWasThere() throws IOException {
    Path file = temporary.resolve("x.pt");
    TorchFileWriter.write(file, PickleObject.of("old"), CONTENT);
    TensorReference tensor = TensorReference.contiguous("t", DataType.F32, List.of(3L));
    assertThrows(
        IOException.class,
        () ->
            TorchFileWriter.write(
                file,
                tensor,
                (info, out) -> {
                  throw new IOException("disk full");
                }));
    assertThrows(
        IllegalStateException.class, () -> TorchFileWriter.write(file, tensor, (info, out) -> {}));
    try (Stream<Path> left = Files.list(temporary);
        TorchFileReader reader = TorchFileReader.open(file)) {
      assertEquals(1, left.count());
      assertEquals(PickleObject.of("old"), reader.root());
    }
  }

  @Test
  void refusesUnequalViewsOfOneStorage() {
    PyList root =
        new PyList(
            List.of(
                TensorReference.contiguous("t", DataType.F32, List.of(2L)),
                TensorReference.contiguous("t", DataType.I64, List.of(1L))));
    assertThrows(
        IllegalArgumentException.class,
        () -> TorchFileWriter.write(temporary.resolve("x.pt"), root, CONTENT));
  }

  @Test
  void refusesTensorsOfOtherFilesAndRangesOutside() throws IOException {
    Path file = temporary.resolve("x.pt");
    TensorReference tensor = TensorReference.contiguous("t", DataType.F32, List.of(2L));
    TorchFileWriter.write(file, tensor, CONTENT);
    try (TorchFileReader reader = TorchFileReader.open(file)) {
      TensorReference read = (TensorReference) reader.root();
      for (long offset : new long[] {-1, 1, 9, Long.MAX_VALUE}) {
        assertThrows(
            IllegalArgumentException.class,
            () -> reader.read(read, offset, ByteBuffer.allocate(8)));
      }
      assertThrows(
          IllegalArgumentException.class, () -> reader.read(tensor, 0, ByteBuffer.allocate(1)));
    }
  }
}
