package io.github.pretrain4j.convert;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.pretrain4j.checkpoint.PickleObject;
import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.TensorReference;
import io.github.pretrain4j.checkpoint.TensorSource;
import io.github.pretrain4j.checkpoint.TorchFileReader;
import io.github.pretrain4j.checkpoint.huggingface.HuggingFaceCheckpoint;
import io.github.pretrain4j.checkpoint.megatron.MegatronCheckpoint;
import io.github.pretrain4j.model.MemoryTensors;
import io.github.pretrain4j.model.TransformerConfig;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/**
 * Both directions against what Megatron-LM's own converter wrote, tensor for tensor and rank for
 * rank.
 */
final class MegatronGoldenTest {
  @TestFactory
  List<DynamicTest> writesTheTensorsThatMegatronWrote(@TempDir Path directory) throws IOException {
    List<DynamicTest> tests = new ArrayList<>();
    for (GoldenModels.Case golden : GoldenModels.cases()) {
      if (!golden.legacy()) {
        tests.add(
            DynamicTest.dynamicTest(
                golden.name(), () -> compareFiles(golden, directory.resolve(fresh(tests)))));
      }
    }
    return tests;
  }

  private static String fresh(List<DynamicTest> tests) {
    return "out" + System.identityHashCode(tests) + "-" + System.nanoTime();
  }

  private static void compareFiles(GoldenModels.Case golden, Path output) throws IOException {
    Conversion.run(
        ConversionConfig.of(
                golden.model(),
                output,
                ConversionTarget.Megatron.of(
                        golden.tensorModelParallelSize(), golden.pipelineModelParallelSize())
                    .withLayerSpec(golden.layerSpec()))
            .withDataType(golden.dataType()),
        ConversionListener.NONE);
    List<String> files = rankFiles(golden.megatron());
    assertEquals(files, rankFiles(output));
    assertEquals(
        golden.tensorModelParallelSize() * golden.pipelineModelParallelSize(), files.size());
    for (String file : files) {
      Map<String, byte[]> expected = tensors(golden.megatron().resolve(file));
      Map<String, byte[]> written = tensors(output.resolve(file));
      assertEquals(expected.keySet(), written.keySet(), file);
      expected.forEach((name, bytes) -> assertArrayEquals(bytes, written.get(name), name));
    }
    assertEquals(
        "1", Files.readString(output.resolve("latest_checkpointed_iteration.txt")).strip());
  }

  private static List<String> rankFiles(Path directory) throws IOException {
    try (Stream<Path> tree = Files.walk(directory)) {
      return tree.filter(path -> path.toString().endsWith(".pt"))
          .map(path -> directory.relativize(path).toString())
          .sorted()
          .toList();
    }
  }

  /** Name, type and shape to data, of one rank's file. */
  private static Map<String, byte[]> tensors(Path file) throws IOException {
    Map<String, byte[]> tensors = new TreeMap<>();
    try (TorchFileReader reader = TorchFileReader.open(file)) {
      PickleObject.PyDict root = (PickleObject.PyDict) reader.root();
      assertEquals(PickleObject.of(3.0), root.get("checkpoint_version"));
      assertEquals(PickleObject.of(1), root.get("iteration"));
      PickleObject model = root.get("model");
      assertTrue(model instanceof PickleObject.PyDict);
      if (model instanceof PickleObject.PyDict dict) {
        for (Map.Entry<String, PickleObject> entry : dict.stringEntries().entrySet()) {
          if (entry.getValue() instanceof TensorReference tensor) {
            ByteBuffer data = ByteBuffer.allocate((int) tensor.byteCount());
            reader.read(tensor, 0, data);
            tensors.put(entry.getKey() + tensor.type() + tensor.shape(), data.array());
          } else {
            assertTrue(entry.getKey().endsWith("_extra_state"), entry.getKey());
          }
        }
      }
    }
    return tensors;
  }

  @TestFactory
  List<DynamicTest> readsTheModelThatMegatronWrote(@TempDir Path directory) throws IOException {
    List<DynamicTest> tests = new ArrayList<>();
    for (GoldenModels.Case golden : GoldenModels.cases()) {
      tests.add(
          DynamicTest.dynamicTest(
              golden.name(), () -> compareModels(golden, directory.resolve(fresh(tests)))));
    }
    return tests;
  }

  private static void compareModels(GoldenModels.Case golden, Path output) throws IOException {
    ConversionReport report =
        Conversion.run(
            ConversionConfig.of(golden.megatron(), output, ConversionTarget.HuggingFace.DEFAULT)
                .withReference(golden.model()),
            ConversionListener.NONE);
    assertTrue(report.roundTrips());
    TransformerConfig config = Objects.requireNonNull(report.config());
    MemoryTensors expected = GoldenModels.load(golden.model(), golden.dataType());
    expected.remove(config.tiedEmbeddings() ? "lm_head.weight" : "");
    try (HuggingFaceCheckpoint written = HuggingFaceCheckpoint.open(output)) {
      assertSame(expected, written);
    }
  }

  static void assertSame(MemoryTensors expected, TensorSource found) throws IOException {
    Map<String, TensorInfo> infos = new TreeMap<>();
    found.tensors().forEach(info -> infos.put(info.name(), info));
    Map<String, TensorInfo> expectedInfos = new TreeMap<>();
    expected.tensors().forEach(info -> expectedInfos.put(info.name(), info));
    assertEquals(expectedInfos, infos);
    MemoryTensors all = MemoryTensors.copyOf(found);
    for (String name : infos.keySet()) {
      assertArrayEquals(expected.bytes(name), all.bytes(name), name);
    }
  }

  /**
   * Megatron's converter cuts the embedding to the tokenizer's size; that is no model of 512 tokens
   * any more.
   */
  @TestFactory
  List<DynamicTest> refusesAnEmbeddingShorterThanTheVocabulary(@TempDir Path directory) {
    List<DynamicTest> tests = new ArrayList<>();
    for (Path root : GoldenModels.shared()) {
      String name = "llama_paddedvocab_mcore_local_tp2pp1_bf16";
      Path megatron = root.resolve("megatron").resolve(name);
      tests.add(
          DynamicTest.dynamicTest(
              name,
              () -> {
                ConversionException e =
                    assertThrows(
                        ConversionException.class,
                        () ->
                            Conversion.run(
                                ConversionConfig.of(
                                        megatron,
                                        directory.resolve("out"),
                                        ConversionTarget.HuggingFace.DEFAULT)
                                    .withReference(GoldenModels.llama()),
                                ConversionListener.NONE));
                assertEquals("the embedding has 500 rows, the vocabulary 512", e.problems().get(0));
                try (MegatronCheckpoint checkpoint = MegatronCheckpoint.open(megatron)) {
                  assertEquals(
                      List.of(500L, 64L),
                      checkpoint.fullTensors().get("output_layer.weight").shape());
                }
              }));
    }
    return tests;
  }
}
