package io.github.pretrain4j.convert;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.common.base.Splitter;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.spi.ToolProvider;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The distribution's two conversion scripts with the environment that the guide sets: what they
 * pass to {@code p4j convert} is given to the tool here.
 */
final class GuideScriptsTest {
  private static final Path SCRIPTS =
      Path.of("../trainer-core/src/main/dist/scripts/checkpoint_convert");

  private final Path directory;
  private final Path reference;
  private final Path megatron;
  private final Path model;

  GuideScriptsTest(@TempDir Path directory) throws IOException {
    this.directory = directory;
    reference = Files.createDirectory(directory.resolve("reference"));
    megatron = directory.resolve("megatron");
    model = directory.resolve("model");
    try (Stream<Path> files = Files.list(GoldenModels.llama())) {
      for (Path file : files.filter(file -> !file.endsWith("generation_config.json")).toList()) {
        Files.copy(file, reference.resolve(file.getFileName()));
      }
    }
  }

  /** Runs a script on a {@code p4j} that records its arguments, then the tool with those. */
  private String convert(String script, Map<String, String> environment) throws Exception {
    Path copy = directory.resolve("dist/scripts/checkpoint_convert").resolve(script);
    Path launcher = directory.resolve("dist/bin/p4j");
    Path recorded = directory.resolve("arguments");
    Files.createDirectories(copy.getParent());
    Files.createDirectories(launcher.getParent());
    Files.writeString(copy, Files.readString(SCRIPTS.resolve(script)));
    Files.writeString(launcher, "#!/usr/bin/env bash\nprintf '%s\\n' \"$@\" >\"$RECORDED\"\n");
    Files.setPosixFilePermissions(launcher, PosixFilePermissions.fromString("rwx------"));
    ProcessBuilder builder = new ProcessBuilder("bash", copy.toString()).inheritIO();
    builder.environment().keySet().removeIf(name -> name.endsWith("_DIR"));
    builder.environment().remove("TOKENIZER_MODEL");
    builder.environment().putAll(environment);
    builder.environment().put("RECORDED", recorded.toString());
    assertEquals(0, builder.start().waitFor());
    List<String> words =
        Splitter.on('\n').omitEmptyStrings().splitToList(Files.readString(recorded));
    assertEquals("convert", words.get(0));
    StringWriter err = new StringWriter();
    int code =
        ToolProvider.findFirst("p4j-convert")
            .orElseThrow()
            .run(
                new PrintWriter(new StringWriter()),
                new PrintWriter(err),
                words.stream().skip(1).toArray(String[]::new));
    assertEquals(0, code, err::toString);
    return String.join(" ", words);
  }

  private String toMegatron(Map<String, String> more) throws Exception {
    Map<String, String> environment = new HashMap<>(more);
    environment.put("HF_FORMAT_DIR", reference.toString());
    environment.put("MEGATRON_FORMAT_DIR", megatron.resolve("iter_0000001").toString());
    environment.put("TENSOR_MODEL_PARALLEL", "2");
    return convert("convert_llama_hf2megatron.sh", environment);
  }

  private String toHuggingFace(Map<String, String> more) throws Exception {
    Map<String, String> environment = new HashMap<>(more);
    environment.put("MEGATRON_FORMAT_DIR", megatron.toString());
    environment.put("HF_FORMAT_DIR", model.toString());
    environment.put("REF_HF_FORMAT_DIR", reference.toString());
    environment.put("HF_PIPELINE_MODEL_PARALLEL", "2");
    return convert("convert_llama_megatron2hf.sh", environment);
  }

  private void assertTreeOfTheGuide() throws IOException {
    try (Stream<Path> files = Files.list(model)) {
      assertEquals(
          List.of(
              "README.md",
              "config.json",
              "generation_config.json",
              "pytorch_model-00001-of-00002.bin",
              "pytorch_model-00002-of-00002.bin",
              "pytorch_model.bin.index.json",
              "special_tokens_map.json",
              "tokenizer.model",
              "tokenizer_config.json"),
          files.map(file -> file.getFileName().toString()).sorted().toList());
    }
  }

  @Test
  void takesTheTokenizerOfTheModelItself() throws Exception {
    byte[] tokenizer = ConvertToolTest.sentencePiece(512);
    Files.write(reference.resolve("tokenizer.model"), tokenizer);
    assertTrue(toMegatron(Map.of()).contains("--tokenizer-model"));
    assertTrue(Files.exists(megatron.resolve("iter_0000001/mp_rank_01/model_optim_rng.pt")));
    assertTrue(Files.exists(megatron.resolve("latest_checkpointed_iteration.txt")));
    toHuggingFace(Map.of());
    assertTreeOfTheGuide();
    assertArrayEquals(tokenizer, Files.readAllBytes(model.resolve("tokenizer.model")));
  }

  @Test
  void takesATokenizerOfAnyName() throws Exception {
    Path tokenizer = directory.resolve("zh.spm");
    Files.write(tokenizer, ConvertToolTest.sentencePiece(512));
    Map<String, String> given = Map.of("TOKENIZER_MODEL", tokenizer.toString());
    assertTrue(toMegatron(given).contains(tokenizer.toString()));
    assertTrue(toHuggingFace(given).contains(tokenizer.toString()));
    assertTreeOfTheGuide();
    assertEquals(-1, Files.mismatch(tokenizer, model.resolve("tokenizer.model")));
  }

  @Test
  void convertsWeightsThatHaveNoTokenizerBesideThem() throws Exception {
    assertFalse(toMegatron(Map.of()).contains("--tokenizer-model"));
    assertFalse(toHuggingFace(Map.of()).contains("--tokenizer-model"));
    assertTrue(Files.exists(model.resolve("README.md")));
  }
}
