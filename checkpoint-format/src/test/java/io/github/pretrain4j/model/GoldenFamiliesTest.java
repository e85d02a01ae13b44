package io.github.pretrain4j.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.github.pretrain4j.checkpoint.DataType;
import io.github.pretrain4j.checkpoint.SharedFiles;
import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.TensorSource;
import io.github.pretrain4j.checkpoint.huggingface.HuggingFaceCheckpoint;
import io.github.pretrain4j.checkpoint.megatron.MegatronCheckpoint;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Models that transformers saved, and what Megatron-LM's converter made of one. */
final class GoldenFamiliesTest {
  private static final Path RESOURCES = Path.of("src/test/resources/golden").toAbsolutePath();

  private static List<Path> roots() {
    return Stream.concat(Stream.of(RESOURCES), SharedFiles.root().stream()).toList();
  }

  /** Files of that name below the models' folders. */
  private static List<Path> files(String name) throws IOException {
    List<Path> found = new ArrayList<>();
    for (Path root : roots()) {
      try (Stream<Path> files = Files.walk(root.resolve("hf"))) {
        files
            .filter(file -> file.getFileName().toString().equals(name))
            .sorted()
            .forEach(found::add);
      }
    }
    assertFalse(found.isEmpty());
    return found;
  }

  private static String label(Path file) {
    return file.getName(file.getNameCount() - 3) + "/" + file.getName(file.getNameCount() - 2);
  }

  private static TransformerConfig config(Path file) throws IOException {
    return ModelFamilies.installed().config(HuggingFaceConfig.read(file));
  }

  @TestFactory
  List<DynamicTest> readsBothSpellingsAlike() throws IOException {
    List<DynamicTest> tests = new ArrayList<>();
    for (Path old : files("config.transformers4.json")) {
      Path model = Objects.requireNonNull(Objects.requireNonNull(old.getParent()).getParent());
      Path recent = model.resolve("safetensors/config.json");
      Path other = Files.exists(recent) ? recent : old.resolveSibling("config.json");
      tests.add(
          DynamicTest.dynamicTest(label(old), () -> assertEquals(config(other), config(old))));
    }
    return tests;
  }

  @TestFactory
  List<DynamicTest> comesBackFromFieldsAndArguments() throws IOException {
    List<DynamicTest> tests = new ArrayList<>();
    for (Path file : files("config.json")) {
      tests.add(
          DynamicTest.dynamicTest(
              label(file),
              () -> {
                TransformerConfig config = config(file);
                ModelFamily family = ModelFamilies.find(config.family());
                String json =
                    new ObjectMapper().writeValueAsString(family.huggingFaceFields(config));
                assertEquals(config, family.config(HuggingFaceConfig.parse(json, file)));
                assertEquals(
                    config, MegatronArguments.config(file, MegatronArguments.of(config), null));
                assertEquals(List.of(), family.problems(config));
              }));
    }
    return tests;
  }

  @TestFactory
  List<DynamicTest> mapsEveryTensorAndBack() throws IOException {
    List<DynamicTest> tests = new ArrayList<>();
    for (Path file : files("config.json")) {
      Path model = file.resolveSibling("");
      if (Files.exists(model.resolve("model.safetensors.index.json"))
          || Files.exists(model.resolve("pytorch_model.bin.index.json"))) {
        tests.add(DynamicTest.dynamicTest(label(file), () -> roundTrip(file)));
      }
    }
    return tests;
  }

  private static void roundTrip(Path file) throws IOException {
    TransformerConfig config = config(file);
    ModelFamily family = ModelFamilies.find(config.family());
    WeightMapping mapping = family.weights(config);
    try (HuggingFaceCheckpoint checkpoint = HuggingFaceCheckpoint.open(file.resolveSibling(""))) {
      assertSame(checkpoint, family.sourceTransform(config, checkpoint));
      assertEquals(List.of(), mapping.huggingFaceProblems(checkpoint.tensors()));
      MemoryTensors source = MemoryTensors.copyOf(checkpoint);
      MemoryTensors megatron = MemoryTensors.copyOf(mapping.toMegatron(source));
      assertEquals(
          config.parameterCount(),
          megatron.tensors().stream().mapToLong(TensorInfo::elementCount).sum());
      assertEquals(List.of(), mapping.megatronProblems(megatron.tensors()));
      MemoryTensors back = MemoryTensors.copyOf(mapping.toHuggingFace(megatron));
      for (TensorInfo info : checkpoint.tensors()) {
        String copied = mapping.huggingFaceCopies().get(info.name());
        String name = copied == null ? info.name() : copied;
        assertArrayEquals(source.bytes(info.name()), back.bytes(name), info.name());
      }
    }
  }

  @TestFactory
  List<DynamicTest> agreesWithMegatronsConverterOnExperts() {
    List<DynamicTest> tests = new ArrayList<>();
    for (Path root : roots()) {
      for (String name :
          List.of("mixtral_v090_mcore_te_tp2pp2ep1_bf16", "mixtral_v090_mcore_te_tp1pp1ep2_bf16")) {
        Path megatron = root.resolve("megatron").resolve(name);
        if (Files.exists(megatron)) {
          tests.add(DynamicTest.dynamicTest(name, () -> compareExperts(root, megatron)));
        }
      }
    }
    return tests;
  }

  private static void compareExperts(Path root, Path megatron) throws IOException {
    Path model = root.resolve("hf/mixtral/bin");
    TransformerConfig config = config(model);
    WeightMapping mapping = ModelFamilies.find("mixtral").weights(config);
    try (HuggingFaceCheckpoint checkpoint = HuggingFaceCheckpoint.open(model);
        MegatronCheckpoint converted = MegatronCheckpoint.open(megatron)) {
      assertEquals(DataType.BF16, checkpoint.tensors().get(0).type());
      MemoryTensors expected = MemoryTensors.copyOf(converted.fullTensors());
      MemoryTensors found = MemoryTensors.copyOf(mapping.toMegatron(checkpoint));
      assertEquals(new TreeSet<>(names(expected)), new TreeSet<>(names(found)));
      for (String name : names(found)) {
        assertArrayEquals(expected.bytes(name), found.bytes(name), name);
      }
      // The converter leaves the rotary base and the loss at Megatron's defaults.
      TransformerConfig recorded =
          MegatronArguments.config(megatron, converted.arguments(), "mixtral");
      assertEquals(
          config.toBuilder()
              .vocabSize(recorded.vocabSize())
              .rotaryBase(recorded.rotaryBase())
              .normEpsilon(recorded.normEpsilon())
              .mixtureOfExperts(MixtureOfExperts.of(4, 2, 64).withAuxLossCoeff(0))
              .build(),
          recorded);
    }
  }

  private static List<String> names(TensorSource source) {
    return source.tensors().stream().map(TensorInfo::name).toList();
  }
}
