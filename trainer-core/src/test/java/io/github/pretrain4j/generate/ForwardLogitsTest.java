package io.github.pretrain4j.generate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.pretrain4j.SharedFiles;
import io.github.pretrain4j.checkpoint.DataType;
import io.github.pretrain4j.checkpoint.SafetensorsReader;
import io.github.pretrain4j.checkpoint.huggingface.HuggingFaceCheckpoint;
import io.github.pretrain4j.convert.Conversion;
import io.github.pretrain4j.convert.ConversionConfig;
import io.github.pretrain4j.convert.ConversionException;
import io.github.pretrain4j.convert.ConversionListener;
import io.github.pretrain4j.convert.ConversionTarget;
import io.github.pretrain4j.convert.LogitsComparison;
import io.github.pretrain4j.convert.LogitsPrompt;
import io.github.pretrain4j.model.HuggingFaceConfig;
import io.github.pretrain4j.model.ModelFamilies;
import io.github.pretrain4j.model.TransformerConfig;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Conversions that compare what source and target compute. */
final class ForwardLogitsTest {
  private static final Path LLAMA = SharedFiles.resource("golden/hf/llama/safetensors");
  private static final List<Integer> PROMPT = List.of(1, 77, 300, 5, 511);

  /** fp32 sums in another order move these logits by up to 6e-6. */
  private static final float TOLERANCE = 2e-5f;

  private static ConversionConfig toMegatron(Path output) {
    return ConversionConfig.of(LLAMA, output, ConversionTarget.Megatron.of(2, 2))
        .withPrompt(new LogitsPrompt("", PROMPT));
  }

  private static LogitsComparison convert(ConversionConfig config) throws IOException {
    return Objects.requireNonNull(
        Conversion.run(config, ConversionListener.NONE).logits(), "logits");
  }

  @Test
  void areThoseOfTransformers() throws IOException {
    TransformerConfig config = ModelFamilies.installed().config(HuggingFaceConfig.read(LLAMA));
    try (HuggingFaceCheckpoint weights = HuggingFaceCheckpoint.open(LLAMA);
        SafetensorsReader reference =
            SafetensorsReader.open(SharedFiles.resource("golden/hf/llama/reference.safetensors"))) {
      int length = Math.toIntExact(reference.get("input_ids").shape().get(1));
      ByteBuffer ids = ByteBuffer.allocate(length * Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
      reference.read("input_ids", 0, ids);
      List<Integer> tokens = new ArrayList<>();
      for (int i = 0; i < length; i++) {
        tokens.add((int) ids.getLong(i * Long.BYTES));
      }
      float[] found =
          new ForwardLogits()
              .logits(
                  config, ModelFamilies.find("llama").weights(config).toMegatron(weights), tokens);
      ByteBuffer expected =
          ByteBuffer.allocate(found.length * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
      reference.read("logits", 0, expected);
      for (int i = 0; i < found.length; i++) {
        assertEquals(expected.getFloat(i * Float.BYTES), found[i], TOLERANCE);
      }
    }
  }

  @Test
  void areTheSameAfterAConversion(@TempDir Path directory) throws IOException {
    LogitsComparison logits = convert(toMegatron(directory.resolve("megatron")));
    assertEquals(PROMPT, logits.tokenIds());
    assertEquals(0, logits.maxAbsDifference());
    assertEquals(PROMPT.size(), logits.top1Agreements());
  }

  @Test
  void differALittleAfterRounding(@TempDir Path directory) throws IOException {
    LogitsComparison logits =
        convert(toMegatron(directory.resolve("megatron")).withDataType(DataType.BF16));
    assertTrue(logits.maxAbsDifference() > 0);
    assertTrue(logits.maxAbsDifference() < 0.1, logits::toString);
  }

  @Test
  void cannotBeComparedWhereNothingComputesTheModel(@TempDir Path directory) throws IOException {
    Path model = Files.createDirectory(directory.resolve("model"));
    try (var files = Files.list(LLAMA)) {
      for (Path file : files.toList()) {
        Files.copy(file, model.resolve(file.getFileName().toString()));
      }
    }
    Path config = model.resolve("config.json");
    Files.writeString(
        config,
        Files.readString(config)
            .replace("\"model_type\": \"llama\"", "\"model_type\": \"normalised-heads\""));
    ConversionException e =
        assertThrows(
            ConversionException.class,
            () ->
                convert(
                    ConversionConfig.of(
                            model, directory.resolve("out"), ConversionTarget.Megatron.of(1, 1))
                        .withPrompt(LogitsPrompt.parse("1, 600"))));
    assertTrue(
        e.problems().stream().anyMatch(problem -> problem.contains("normalised queries and keys")),
        e::toString);
    assertFalse(Files.exists(directory.resolve("out")));
  }

  @Test
  void needATokenizerForAText(@TempDir Path directory) {
    ConversionException e =
        assertThrows(
            ConversionException.class,
            () ->
                convert(
                    toMegatron(directory.resolve("out"))
                        .withPrompt(LogitsPrompt.parse("Once upon a time"))));
    assertTrue(e.problems().get(0).contains("no tokenizer"), e::toString);
    e =
        assertThrows(
            ConversionException.class,
            () ->
                convert(
                    toMegatron(directory.resolve("out")).withPrompt(LogitsPrompt.parse("1,512"))));
    assertTrue(e.problems().get(0).contains("token 512"), e::toString);
  }
}
