package io.github.pretrain4j.checkpoint;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.pretrain4j.checkpoint.PickleObject.ObjectState;
import io.github.pretrain4j.checkpoint.PickleObject.PyDict;
import io.github.pretrain4j.checkpoint.PickleObject.PyInt;
import io.github.pretrain4j.checkpoint.PickleObject.PyString;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/** Archives inside bigger files, and the pickle that says where they lie. */
class DistributedItemsTest {
  private final Path temporary;

  DistributedItemsTest(@TempDir Path temporary) {
    this.temporary = temporary;
  }

  @TestFactory
  @Tag("shared")
  List<DynamicTest> readsEveryItemThatMetadataNames() throws IOException {
    List<Path> files = new ArrayList<>(SharedFiles.golden("megatron", ".metadata"));
    files.addAll(SharedFiles.golden("megatron_train", ".metadata"));
    return files.stream()
        .map(file -> DynamicTest.dynamicTest(file.toString(), () -> readItems(file)))
        .toList();
  }

  private static void readItems(Path metadata) throws IOException {
    ObjectState root = (ObjectState) PickleFile.read(metadata);
    PyDict storage = (PyDict) Objects.requireNonNull(root.attributes().get("storage_data"));
    assertTrue(storage.entries().size() > 10);
    for (PickleObject value : storage.entries().values()) {
      Map<String, PickleObject> info = ((ObjectState) value).attributes();
      String path = ((PyString) Objects.requireNonNull(info.get("relative_path"))).value();
      long offset = ((PyInt) Objects.requireNonNull(info.get("offset"))).longValueExact();
      long length = ((PyInt) Objects.requireNonNull(info.get("length"))).longValueExact();
      try (TorchFileReader reader =
          TorchFileReader.open(metadata.resolveSibling(path), offset, length)) {
        reader.verify();
        for (TensorReference tensor : TorchTrees.tensors(reader.root())) {
          assertEquals(
              tensor.byteCount(), ExpectedTree.inPieces(reader, tensor, 1 << 16).length, path);
        }
      }
    }
    assertEquals(root, again(root));
  }

  private static PickleObject again(PickleObject root) throws IOException {
    Path copy = Files.createTempFile("pickle", ".metadata");
    try {
      Files.write(copy, PickleFile.encode(root));
      return PickleFile.read(copy);
    } finally {
      Files.delete(copy);
    }
  }

  @Test
  void readsArchivesAtAnyOffset() throws IOException {
    ByteArrayOutputStream joined = new ByteArrayOutputStream();
    List<String> names = List.of("views.pt", "protocol4.pt", "dtypes.pt", "views_legacy.pt");
    List<Long> offsets = new ArrayList<>();
    joined.write(7);
    for (String name : names) {
      offsets.add((long) joined.size());
      joined.writeBytes(Files.readAllBytes(SharedFiles.torchResources().resolve(name)));
    }
    joined.write(7);
    Path file = temporary.resolve("__0_0.distcp");
    Files.write(file, joined.toByteArray());
    try (ItemFile items = ItemFile.open(file)) {
      for (int i = 0; i < names.size(); i++) {
        Path original = SharedFiles.torchResources().resolve(names.get(i));
        TorchFileReader item = items.torch(offsets.get(i), Files.size(original));
        item.verify();
        try (TorchFileReader alone = TorchFileReader.open(original)) {
          assertEquals(alone.root(), item.root());
          for (TensorReference tensor : TorchTrees.tensors(item.root())) {
            assertArrayEquals(
                ExpectedTree.inPieces(alone, tensor, 100),
                ExpectedTree.inPieces(item, tensor, 100));
          }
        }
      }
    }
  }

  @Test
  void errorsNameTheByteOfTheFileAndNothingOutsideIsRead() throws IOException {
    byte[] archive = Files.readAllBytes(SharedFiles.torchResources().resolve("views.pt"));
    byte[] padded = new byte[archive.length + 1000];
    System.arraycopy(archive, 0, padded, 500, archive.length);
    Path file = temporary.resolve("__0_0.distcp");
    Files.write(file, padded);
    for (long[] window :
        new long[][] {
          {0, archive.length},
          {500, archive.length - 1L},
          {500, archive.length + 1L},
          {501, archive.length},
          {500, padded.length},
          {500, -1},
          {-1, archive.length},
          {Long.MAX_VALUE, 1}
        }) {
      CorruptCheckpointException refused =
          assertThrows(
              CorruptCheckpointException.class,
              () -> TorchFileReader.open(file, window[0], window[1]));
      assertEquals(file, refused.file());
    }
    padded[500] = 'Q';
    Files.write(file, padded);
    assertEquals(
        500,
        assertThrows(
                CorruptCheckpointException.class,
                () -> TorchFileReader.open(file, 500, archive.length))
            .byteOffset());
  }
}
