package io.github.pretrain4j.checkpoint;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.github.pretrain4j.checkpoint.PickleObject.ObjectState;
import io.github.pretrain4j.checkpoint.PickleObject.PyDict;
import io.github.pretrain4j.checkpoint.PickleObject.PyGlobal;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Files that PyTorch 2.13 wrote, and damaged and hostile ones. */
class TorchGoldenTest {
  private static final Path GOLDEN = SharedFiles.torchResources();

  private final Path temporary;

  TorchGoldenTest(@TempDir Path temporary) {
    this.temporary = temporary;
  }

  @TestFactory
  List<DynamicTest> readsWhatTorchWrote() throws IOException {
    return describedFiles(
        SharedFiles.golden("torch", ".expected.json").isEmpty()
            ? List.of(GOLDEN)
            : List.of(GOLDEN, SharedFiles.golden("torch", "index.json").get(0).getParent()));
  }

  private List<DynamicTest> describedFiles(List<Path> folders) throws IOException {
    List<DynamicTest> tests = new ArrayList<>();
    for (Path folder : folders) {
      JsonNode index = new ObjectMapper().readTree(folder.resolve("index.json").toFile());
      for (String name : (Iterable<String>) () -> index.get("files").fieldNames()) {
        Path file = folder.resolve(name);
        Path expected = folder.resolve(name.replace(".pt", ".expected.json"));
        if (Files.exists(file) && Files.exists(expected) && !name.equals("new_dtypes.pt")) {
          tests.add(DynamicTest.dynamicTest(name, () -> compare(file, expected)));
        }
      }
    }
    return tests;
  }

  private static void compare(Path file, Path expected) throws IOException {
    Path data = Path.of(expected.toString().replace(".json", ".safetensors"));
    JsonNode tree = new ObjectMapper().readTree(expected.toFile());
    try (TorchFileReader reader = TorchFileReader.open(file);
        TensorSource tensors =
            Files.exists(data) ? SafetensorsReader.open(data) : new NoTensors()) {
      new ExpectedTree(reader, tensors).compare("", tree, reader.root());
      reader.verify();
    }
  }

  @Test
  void readsTypesThatHaveNoStorageClass() throws IOException {
    JsonNode expected =
        new ObjectMapper().readTree(GOLDEN.resolve("new_dtypes.expected.json").toFile());
    try (TorchFileReader reader = TorchFileReader.open(GOLDEN.resolve("new_dtypes.pt"))) {
      Map<String, PickleObject> tensors = ((PyDict) reader.root()).stringEntries();
      assertEquals(expected.size(), tensors.size());
      for (Map.Entry<String, PickleObject> entry : tensors.entrySet()) {
        TensorReference tensor = (TensorReference) entry.getValue();
        JsonNode wanted = expected.get(entry.getKey());
        assertEquals(wanted.get("dtype").asText(), "torch." + tensor.type().torchName());
        assertArrayEquals(
            HexFormat.of().parseHex(wanted.get("bytes_hex").asText()),
            ExpectedTree.inPieces(reader, tensor, 3));
      }
    }
  }

  @Test
  void picturesObjectsOfUnknownClasses() throws IOException {
    try (TorchFileReader reader = TorchFileReader.open(GOLDEN.resolve("unknown_class.pt"))) {
      PyDict root = (PyDict) reader.root();
      assertInstanceOf(TensorReference.class, root.get("w"));
      ObjectState config = assertInstanceOf(ObjectState.class, root.get("config"));
      assertEquals("__main__.Custom", config.type().qualifiedName());
      assertEquals(new PyGlobal("json", "dumps"), root.get("fn"));
    }
    assertThrows(
        CorruptCheckpointException.class,
        () -> TorchFileReader.openStrict(GOLDEN.resolve("unknown_class.pt")));
  }

  @ParameterizedTest
  @ValueSource(strings = {"malicious_eval.pt", "malicious_os_system.pt", "malicious_legacy.pt"})
  void runsNothing(String name) throws IOException {
    String content =
        Files.readString(GOLDEN.resolve(name), java.nio.charset.StandardCharsets.ISO_8859_1);
    int start = content.indexOf("/tmp/");
    assertTrue(start > 0);
    String marker = content.substring(start).split("[^A-Za-z0-9_/.-]", 2)[0];
    try (TorchFileReader reader = TorchFileReader.open(GOLDEN.resolve(name))) {
      assertTrue(reader.root().toString().contains("ObjectState"), reader.root().toString());
    }
    assertFalse(Files.exists(Path.of(marker)), marker);
    CorruptCheckpointException refused =
        assertThrows(
            CorruptCheckpointException.class,
            () -> TorchFileReader.openStrict(GOLDEN.resolve(name)));
    assertEquals("pickled name", refused.what());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "bad_bitflip_pickle.pt",
        "bad_empty.pt",
        "bad_out_of_bounds_view.pt",
        "bad_short_storage.pt",
        "bad_truncated_half.pt",
        "bad_truncated_legacy.pt",
        "bad_truncated_tail.pt"
      })
  void refusesDamage(String name) {
    CorruptCheckpointException refused =
        assertThrows(
            CorruptCheckpointException.class, () -> TorchFileReader.open(GOLDEN.resolve(name)));
    assertEquals(GOLDEN.resolve(name), refused.file());
  }

  @Test
  void findsDamagedDataWhenVerifying() throws IOException {
    try (TorchFileReader reader = TorchFileReader.open(GOLDEN.resolve("bad_bitflip_data.pt"))) {
      assertEquals(
          "CRC-32 of record data/0",
          assertThrows(CorruptCheckpointException.class, reader::verify).what());
    }
  }

  @TestFactory
  @Tag("shared")
  List<DynamicTest> readsAndRewritesMegatronCheckpoints() throws IOException {
    List<Path> files = new ArrayList<>(SharedFiles.golden("megatron", ".pt"));
    files.addAll(SharedFiles.golden("megatron_train", ".pt"));
    return files.stream()
        .map(file -> DynamicTest.dynamicTest(file.toString(), () -> rewrite(file)))
        .toList();
  }

  @Test
  void rewritesGoldenFiles() throws IOException {
    for (String name : List.of("dtypes.pt", "new_dtypes.pt", "views.pt", "nested.pt", "tied.pt")) {
      rewrite(GOLDEN.resolve(name));
    }
  }

  /** Writes what was read, and reads it again. */
  private void rewrite(Path file) throws IOException {
    Path copy = temporary.resolve("copy.pt");
    try (TorchFileReader reader = TorchFileReader.open(file)) {
      reader.verify();
      TorchTrees.copy(reader, copy);
      try (TorchFileReader again = TorchFileReader.open(copy)) {
        again.verify();
        assertEquals(reader.root(), again.root());
        for (TensorReference tensor : TorchTrees.tensors(reader.root())) {
          assertArrayEquals(
              ExpectedTree.inPieces(reader, tensor, Integer.MAX_VALUE),
              ExpectedTree.inPieces(again, tensor, Integer.MAX_VALUE));
        }
      }
    }
  }
}
