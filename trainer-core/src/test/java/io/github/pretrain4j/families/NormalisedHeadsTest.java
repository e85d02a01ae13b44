package io.github.pretrain4j.families;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.pretrain4j.checkpoint.DataType;
import io.github.pretrain4j.checkpoint.TensorContent;
import io.github.pretrain4j.checkpoint.huggingface.HuggingFaceWriter;
import io.github.pretrain4j.checkpoint.huggingface.ShardRule;
import io.github.pretrain4j.checkpoint.huggingface.WeightFormat;
import io.github.pretrain4j.convert.Conversion;
import io.github.pretrain4j.convert.ConversionConfig;
import io.github.pretrain4j.convert.ConversionListener;
import io.github.pretrain4j.convert.ConversionReport;
import io.github.pretrain4j.convert.ConversionTarget;
import io.github.pretrain4j.model.HuggingFaceConfig;
import io.github.pretrain4j.model.MemoryTensors;
import io.github.pretrain4j.model.ModelFamilies;
import io.github.pretrain4j.model.ModelFamily;
import io.github.pretrain4j.model.ModelFamilyContract;
import io.github.pretrain4j.model.TransformerConfig;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A new family from outside the module: one class, one service line, and the converter takes it.
 */
final class NormalisedHeadsTest extends ModelFamilyContract {
  private static final String CONFIG =
      """
      {"model_type": "normalised-heads", "torch_dtype": "bfloat16", "head_dim": 8, "hidden_act": "silu",
       "hidden_size": 12, "intermediate_size": 20, "max_position_embeddings": 64, "num_attention_heads": 4,
       "num_hidden_layers": 2, "num_key_value_heads": 2, "rms_norm_eps": 1e-06, "rope_theta": 1000000.0,
       "tie_word_embeddings": false, "vocab_size": 30}
      """;

  @Override
  protected ModelFamily family() {
    return ModelFamilies.find("normalised-heads");
  }

  @Override
  protected List<String> configurations() {
    return List.of(CONFIG);
  }

  @Test
  void isConvertedThereAndBack(@TempDir Path directory) throws IOException {
    TransformerConfig config =
        ModelFamilies.installed().config(HuggingFaceConfig.parse(CONFIG, Path.of("config.json")));
    MemoryTensors weights =
        MemoryTensors.random(family().weights(config).huggingFaceTensors(DataType.BF16), 1);
    Path model = directory.resolve("model");
    HuggingFaceWriter.create(model, WeightFormat.SAFETENSORS, new ShardRule.Count(1))
        .file("config.json", CONFIG.getBytes(StandardCharsets.UTF_8))
        .write(weights.tensors(), TensorContent.copyOf(weights));
    ConversionReport there =
        Conversion.run(
            ConversionConfig.of(
                model, directory.resolve("megatron"), ConversionTarget.Megatron.of(2, 2)),
            ConversionListener.NONE);
    ConversionReport back =
        Conversion.run(
            ConversionConfig.of(
                directory.resolve("megatron"),
                directory.resolve("back"),
                ConversionTarget.HuggingFace.DEFAULT),
            ConversionListener.NONE);
    assertTrue(there.roundTrips() && back.roundTrips());
    assertEquals(config, back.config());
    assertTrue(there.megatronFlags().contains("--qk-layernorm"));
  }
}
