package io.github.pretrain4j.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.pretrain4j.checkpoint.DataType;
import io.github.pretrain4j.checkpoint.NumericConversion;
import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.TensorSource;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

final class DeepseekV3Test extends ModelFamilyContract {
  private static final String MATRIX = "model.layers.0.mlp.down_proj.weight";
  private static final String SCALES = MATRIX + "_scale_inv";

  @Override
  protected ModelFamily family() {
    return ModelFamilies.find("deepseek_v3");
  }

  @Override
  protected List<String> configurations() {
    return List.of(ConfigTexts.DEEPSEEK_V3, ConfigTexts.DEEPSEEK_V3_ALONE);
  }

  private static HuggingFaceConfig source(String json) throws IOException {
    return HuggingFaceConfig.parse(json, Path.of("config.json"));
  }

  @Test
  void hasExpertsBehindTheDenseLayersAndALayerThatPredictsAhead() throws IOException {
    WeightMapping mapping = family().weights(family().config(source(ConfigTexts.DEEPSEEK_V3)));
    Set<String> names =
        mapping.megatronTensors(DataType.F32).stream()
            .map(TensorInfo::name)
            .collect(Collectors.toSet());
    assertTrue(names.contains("decoder.layers.1.mlp.linear_fc1.weight"));
    assertFalse(names.contains("decoder.layers.1.mlp.router.weight"));
    assertTrue(names.contains("decoder.layers.2.mlp.router.expert_bias"));
    assertFalse(names.contains("decoder.layers.2.mlp.linear_fc1.weight"));
    String mtp = "mtp.layers.0.transformer_layer.";
    assertTrue(names.contains(mtp + "mlp.experts.local_experts.11.linear_fc2.weight"));
    assertTrue(names.contains(mtp + "self_attention.linear_kv_up_proj.weight"));
    assertEquals(
        List.of(new WeightMapping.Slice(0, 16, "mtp.layers.0.eh_proj.weight", 0)),
        mapping.slices("model.layers.3.eh_proj.weight"));
    assertEquals(
        List.of(new WeightMapping.Slice(0, 16, "mtp.layers.0.final_layernorm.weight", 0)),
        mapping.slices("model.layers.3.shared_head.norm.weight"));
  }

  @Test
  void acceptsTheCopiesThatALayerAheadHas() throws IOException {
    WeightMapping mapping = family().weights(family().config(source(ConfigTexts.DEEPSEEK_V3)));
    List<TensorInfo> tensors = new ArrayList<>(mapping.huggingFaceTensors(DataType.BF16));
    for (String name : List.of("embed_tokens.weight", "shared_head.head.weight")) {
      tensors.add(new TensorInfo("model.layers.3." + name, DataType.BF16, List.of(11L, 16L)));
    }
    assertEquals(List.of(), mapping.huggingFaceProblems(tensors));
    assertEquals(
        Map.of(
            "model.layers.3.embed_tokens.weight",
            "model.embed_tokens.weight",
            "model.layers.3.shared_head.head.weight",
            "lm_head.weight"),
        mapping.huggingFaceCopies());
  }

  @Test
  void takesTheTensorsWordForTheLayersAhead() throws IOException {
    HuggingFaceConfig source = source(ConfigTexts.DEEPSEEK_V3);
    TransformerConfig config = family().config(source);
    WeightMapping mapping = family().weights(config);
    assertEquals(config, family().config(source, mapping.huggingFaceTensors(DataType.F32)));
    assertEquals(config, family().config(source, mapping.megatronTensors(DataType.F32)));
    TransformerConfig alone = config.toBuilder().numMtpLayers(0).build();
    List<TensorInfo> tensors = family().weights(alone).huggingFaceTensors(DataType.F32);
    assertEquals(alone, family().config(source, tensors));
  }

  @Test
  void multipliesEachBlockByItsFactor() throws IOException {
    int rows = 130;
    int columns = 300;
    MemoryTensors source =
        MemoryTensors.random(
            List.of(
                new TensorInfo(MATRIX, DataType.F8_E4M3, List.of((long) rows, (long) columns)),
                new TensorInfo("model.norm.weight", DataType.BF16, List.of(4L))),
            1);
    ByteBuffer scales = ByteBuffer.allocate(2 * 3 * 4).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < 6; i++) {
      scales.putFloat(0.37f * (i + 1));
    }
    source.put(new TensorInfo(SCALES, DataType.F32, List.of(2L, 3L)), scales.array());
    TransformerConfig config = family().config(source(ConfigTexts.DEEPSEEK_V3));
    TensorSource view = family().sourceTransform(config, source);
    assertEquals(
        List.of(
            new TensorInfo(MATRIX, DataType.BF16, List.of((long) rows, (long) columns)),
            new TensorInfo("model.norm.weight", DataType.BF16, List.of(4L))),
        view.tensors());
    assertEquals(Set.of(MATRIX), family().sourceChanges(config, source).keySet());

    ByteBuffer elements = widened(DataType.F8_E4M3, source.bytes(MATRIX));
    ByteBuffer values = widened(DataType.BF16, MemoryTensors.copyOf(view).bytes(MATRIX));
    for (int i = 0; i < rows * columns; i++) {
      int block = i / columns / 128 * 3 + i % columns / 128;
      float exact = elements.getFloat(4 * i) * scales.getFloat(4 * block);
      float found = values.getFloat(4 * i);
      assertTrue(
          Float.isNaN(exact)
              ? Float.isNaN(found)
              : Math.abs(found - exact) <= Math.abs(exact) / 256,
          "element " + i + ": " + exact + ", " + found);
    }
    byte[] whole = MemoryTensors.copyOf(view).bytes(MATRIX);
    Random random = new Random(2);
    for (int i = 0; i < 50; i++) {
      int from = random.nextInt(whole.length);
      ByteBuffer part = ByteBuffer.allocate(random.nextInt(Math.min(5000, whole.length - from)));
      view.read(MATRIX, from, part);
      assertArrayEquals(Arrays.copyOfRange(whole, from, from + part.capacity()), part.array());
    }
  }

  private static ByteBuffer widened(DataType type, byte[] bytes) {
    ByteBuffer wide = ByteBuffer.allocate(bytes.length / type.bytes() * 4);
    NumericConversion.convert(type, ByteBuffer.wrap(bytes), DataType.F32, wide);
    return wide.flip().order(ByteOrder.LITTLE_ENDIAN);
  }

  @Test
  void leavesFactorsThatDoNotFitToBeReported() throws IOException {
    MemoryTensors source =
        MemoryTensors.random(
            List.of(
                new TensorInfo(MATRIX, DataType.F8_E4M3, List.of(130L, 4L)),
                new TensorInfo(SCALES, DataType.F32, List.of(1L, 1L))),
            3);
    TransformerConfig config = family().config(source(ConfigTexts.DEEPSEEK_V3));
    assertSame(source, family().sourceTransform(config, source));
    assertTrue(
        family().weights(config).huggingFaceProblems(source.tensors()).stream()
            .anyMatch(problem -> problem.contains(SCALES)));
  }
}
