package io.github.pretrain4j.convert;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.github.pretrain4j.checkpoint.DataType;
import io.github.pretrain4j.checkpoint.SharedFiles;
import io.github.pretrain4j.checkpoint.TensorSource;
import io.github.pretrain4j.checkpoint.huggingface.HuggingFaceCheckpoint;
import io.github.pretrain4j.checkpoint.megatron.LayerSpec;
import io.github.pretrain4j.model.MemoryTensors;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/**
 * Models recorded from transformers and Megatron-LM: two among the test resources, all where they
 * lie beside.
 */
final class GoldenModels {
  private static final Set<String> FAMILIES = Set.of("llama", "llama-tied", "mistral", "qwen2");
  private static final Path RESOURCES = Path.of("src/test/resources/golden").toAbsolutePath();

  /** A checkpoint that Megatron's converter made from {@code model}. */
  record Case(
      String name,
      Path megatron,
      Path model,
      DataType dataType,
      LayerSpec layerSpec,
      boolean legacy,
      int tensorModelParallelSize,
      int pipelineModelParallelSize) {
    /** The name decides, as runs.json has it. */
    static Case of(String name, Path root, Path model) {
      int at = name.indexOf("_tp");
      return new Case(
          name,
          root.resolve("megatron").resolve(name),
          model,
          name.endsWith("_bf16")
              ? DataType.BF16
              : name.endsWith("_fp16") ? DataType.F16 : DataType.F32,
          name.contains("_te_") ? LayerSpec.TRANSFORMER_ENGINE : LayerSpec.LOCAL,
          name.contains("_legacy_"),
          name.charAt(at + 3) - '0',
          name.charAt(at + 6) - '0');
    }

    @Override
    public String toString() {
      return name;
    }
  }

  private GoldenModels() {}

  /** All recorded Megatron checkpoints of our families, the padded one aside. */
  static List<Case> cases() throws IOException {
    List<Case> cases = new ArrayList<>();
    cases.add(
        Case.of(
            "llama_mcore_te_tp2pp2_bf16", RESOURCES, RESOURCES.resolve("hf/llama/safetensors")));
    cases.add(
        Case.of("qwen2_mcore_local_tp2pp2_bf16", RESOURCES, RESOURCES.resolve("hf/qwen2/bin")));
    for (Path root : shared()) {
      JsonNode runs = new ObjectMapper().readTree(root.resolve("megatron/runs.json").toFile());
      for (JsonNode run : runs) {
        String name = run.path("case").asText();
        String model = run.path("hf").asText();
        if (FAMILIES.contains(model)
            && !name.contains("torch_dist")
            && !name.contains("paddedvocab")) {
          cases.add(Case.of(name, root, root.resolve("hf").resolve(model).resolve("safetensors")));
        }
      }
    }
    return cases;
  }

  /** Directories of all recorded Hugging Face models of our families. */
  static List<Path> models() throws IOException {
    List<Path> models = new ArrayList<>();
    models.add(RESOURCES.resolve("hf/llama/safetensors"));
    models.add(RESOURCES.resolve("hf/qwen2/bin"));
    for (Path root : shared()) {
      for (String family : FAMILIES.stream().sorted().toList()) {
        models.add(root.resolve("hf").resolve(family).resolve("safetensors"));
        models.add(root.resolve("hf").resolve(family).resolve("bin"));
      }
    }
    return models;
  }

  static Path llama() {
    return RESOURCES.resolve("hf/llama/safetensors");
  }

  static Path qwen2() {
    return RESOURCES.resolve("hf/qwen2/bin");
  }

  static Path megatronLlama() {
    return RESOURCES.resolve("megatron/llama_mcore_te_tp2pp2_bf16");
  }

  /** The root of the large collection, or nothing. */
  static List<Path> shared() {
    return SharedFiles.root().stream().toList();
  }

  /** A Hugging Face model in memory, rounded. */
  static MemoryTensors load(Path directory, DataType dataType) throws IOException {
    try (HuggingFaceCheckpoint checkpoint = HuggingFaceCheckpoint.open(directory)) {
      TensorSource rounded = new ConvertedTypeSource(checkpoint, dataType);
      return MemoryTensors.copyOf(rounded);
    }
  }
}
