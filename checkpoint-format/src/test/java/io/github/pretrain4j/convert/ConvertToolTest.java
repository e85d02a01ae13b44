package io.github.pretrain4j.convert;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.spi.ToolProvider;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class ConvertToolTest {
  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  private int run(Object... args) {
    return ToolProvider.findFirst("p4j-convert")
        .orElseThrow()
        .run(
            new PrintWriter(out),
            new PrintWriter(err),
            Stream.of(args).map(Object::toString).toArray(String[]::new));
  }

  @Test
  void convertsThereAndBack(@TempDir Path directory) throws IOException {
    Path report = directory.resolve("report.json");
    Path tokenizer = directory.resolve("tokenizer.model");
    Files.write(tokenizer, sentencePiece(512));
    assertEquals(
        0,
        run(
            "--to",
            "megatron",
            "--input",
            GoldenModels.llama(),
            "--output",
            directory.resolve("m"),
            "--tensor-model-parallel-size",
            2,
            "--pipeline-model-parallel-size",
            2,
            "--tokenizer-model",
            tokenizer,
            "--dtype",
            "bfloat16",
            "--report",
            report),
        err::toString);
    JsonNode json = new ObjectMapper().readTree(report.toFile());
    assertTrue(json.path("round_trips").asBoolean());
    assertEquals(39, json.path("tensors").size());
    assertTrue(json.path("megatron_flags").toString().contains("--num-query-groups"));
    assertTrue(out.toString().contains("39 of 39 source tensors"), out::toString);
    assertTrue(err.toString().contains("p4j-convert: verify done"), err::toString);
    Path model = directory.resolve("hf");
    assertEquals(
        0,
        run(
            "--to",
            "huggingface",
            "--input",
            directory.resolve("m"),
            "--output",
            model,
            "--tokenizer-model",
            tokenizer,
            "--format",
            "bin",
            "--num-shards",
            3),
        err::toString);
    for (String name :
        List.of(
            "README.md",
            "config.json",
            "generation_config.json",
            "pytorch_model-00001-of-00003.bin",
            "pytorch_model-00003-of-00003.bin",
            "pytorch_model.bin.index.json",
            "special_tokens_map.json",
            "tokenizer_config.json",
            "tokenizer.model")) {
      assertTrue(Files.exists(model.resolve(name)), name);
    }
    JsonNode config = new ObjectMapper().readTree(model.resolve("config.json").toFile());
    assertEquals("LlamaForCausalLM", config.path("architectures").path(0).asText());
    assertEquals("bfloat16", config.path("torch_dtype").asText());
    assertEquals(2, config.path("eos_token_id").asInt());
    assertEquals(
        "piece2",
        new ObjectMapper()
            .readTree(model.resolve("special_tokens_map.json").toFile())
            .path("eos_token")
            .asText());
  }

  /**
   * A SentencePiece model of that many pieces: field 1 of ModelProto, each with its text in field
   * 1.
   */
  static byte[] sentencePiece(int size) {
    ByteArrayOutputStream model = new ByteArrayOutputStream();
    for (int i = 0; i < size; i++) {
      byte[] text = ("piece" + i).getBytes(StandardCharsets.UTF_8);
      model.write(10);
      model.write(text.length + 2);
      model.write(10);
      model.write(text.length);
      model.writeBytes(text);
    }
    return model.toByteArray();
  }

  private int convertLlama(PrintWriter to, Path output, Path report) {
    return ToolProvider.findFirst("p4j-convert")
        .orElseThrow()
        .run(
            to,
            new PrintWriter(err),
            "--to",
            "megatron",
            "--input",
            GoldenModels.llama().toString(),
            "--output",
            output.toString(),
            "--report",
            report.toString());
  }

  @Test
  void findsAReportThatCannotBeWrittenBeforeItConverts(@TempDir Path directory) throws IOException {
    Path output = directory.resolve("m");
    PrintWriter to = new PrintWriter(out);
    assertEquals(1, convertLlama(to, output, directory.resolve("none/report.json")));
    assertTrue(err.toString().contains("report.json: --report lies in a directory"), err::toString);
    assertEquals(1, convertLlama(to, output, directory));
    assertFalse(Files.exists(output));
    assertEquals(0, convertLlama(to, output, output.resolve("report.json")), err::toString);
    assertTrue(Files.exists(output.resolve("report.json")));
  }

  @Test
  void saysWhatIsWrongWithAFile(@TempDir Path directory) throws IOException {
    assertEquals(
        1,
        run(
            "--to",
            "huggingface",
            "--input",
            GoldenModels.megatronLlama(),
            "--output",
            directory.resolve("hf"),
            "--reference",
            GoldenModels.llama(),
            "--tokenizer-model",
            directory.resolve("none.model")));
    assertTrue(err.toString().contains("none.model: no "), err::toString);
    Path model = Files.createDirectory(directory.resolve("model"));
    Files.copy(GoldenModels.llama().resolve("config.json"), model.resolve("config.json"));
    Files.copy(
        GoldenModels.llama().resolve("model.safetensors.index.json"),
        model.resolve("model.safetensors.index.json"));
    assertEquals(1, run("--to", "megatron", "--input", model, "--output", directory.resolve("m")));
    assertTrue(err.toString().contains(".safetensors: no such file"), err::toString);
  }

  @Test
  void showsWhereABugArose(@TempDir Path directory) {
    PrintWriter broken =
        new PrintWriter(out) {
          @Override
          public void print(String text) {
            throw new IllegalStateException("broken");
          }
        };
    assertEquals(70, convertLlama(broken, directory.resolve("m"), directory.resolve("report")));
    assertTrue(err.toString().contains("a bug: java.lang.IllegalStateException: broken"));
    assertTrue(err.toString().contains("\tat "), err::toString);
  }

  @Test
  void tellsWhoseFaultItIs(@TempDir Path directory) throws IOException {
    assertEquals(2, run("--to", "megatron"));
    assertEquals(2, run("--to", "elsewhere", "--input", "a", "--output", "b"));
    assertEquals(
        2,
        run(
            "--to",
            "megatron",
            "--input",
            GoldenModels.llama(),
            "--output",
            directory.resolve("m"),
            "--format",
            "bin"));
    assertEquals(
        2,
        run(
            "--to",
            "megatron",
            "--input",
            GoldenModels.llama(),
            "--output",
            directory.resolve("m"),
            "--dtype",
            "int8"));
    assertEquals(
        2,
        run(
            "--to",
            "megatron",
            "--input",
            GoldenModels.llama(),
            "--output",
            directory.resolve("m"),
            "--tensor-model-parallel-size",
            0));
    assertEquals(
        1, run("--to", "megatron", "--input", directory, "--output", directory.resolve("m")));
    Path tokenizer = directory.resolve("tokenizer.model");
    Files.write(tokenizer, sentencePiece(511));
    assertEquals(
        1,
        run(
            "--to",
            "megatron",
            "--input",
            GoldenModels.llama(),
            "--output",
            directory.resolve("m"),
            "--tokenizer-model",
            tokenizer));
    assertTrue(err.toString().contains("has 511 tokens, the model 512 rows"), err::toString);
    Files.write(tokenizer, new byte[] {10, 127, 1});
    assertEquals(
        1,
        run(
            "--to",
            "megatron",
            "--input",
            GoldenModels.llama(),
            "--output",
            directory.resolve("m"),
            "--tokenizer-model",
            tokenizer));
    assertTrue(err.toString().contains("tokenizer.model: length at byte 1"), err::toString);
    assertFalse(Files.exists(directory.resolve("m")));
    assertFalse(err.toString().contains("\tat "), err::toString);
    assertTrue(
        err.toString().lines().filter(line -> line.startsWith("p4j-convert: error: ")).count() == 8,
        err::toString);
  }
}
