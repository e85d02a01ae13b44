package io.github.pretrain4j.nn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.pretrain4j.backend.ComputeBackends;
import io.github.pretrain4j.backend.ComputeDevice;
import io.github.pretrain4j.backend.DeviceConfig;
import io.github.pretrain4j.model.TransformerConfig;
import io.github.pretrain4j.tensor.KvCache;
import io.github.pretrain4j.tensor.Parameter;
import io.github.pretrain4j.tensor.Tape;
import io.github.pretrain4j.tensor.TokenBatch;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Building, initialising, loading and caching of models, on the plain-Java device. */
final class LanguageModelTest {

  private static TransformerConfig config() {
    return TransformerConfig.builder()
        .family("llama")
        .numLayers(2)
        .hiddenSize(32)
        .ffnHiddenSize(48)
        .numAttentionHeads(4)
        .numQueryGroups(2)
        .vocabSize(100)
        .maxPositionEmbeddings(64)
        .build();
  }

  private static ComputeDevice device() {
    return ComputeBackends.find("java").open(new DeviceConfig(1));
  }

  @Test
  void initialisesEveryElementFromSeedNameAndIndexAlone() {
    try (ComputeDevice device = device();
        LanguageModel model = LanguageModels.build(config(), 128, 64, false, device);
        LanguageModel deeper =
            LanguageModels.build(
                config().toBuilder().numLayers(4).build(), 256, 64, false, device)) {
      Initialization.fill(model, 1234, 0.02);
      Initialization.fill(deeper, 1234, 0.02);
      float[] small = embedding(model);
      assertArrayEquals(
          small,
          Arrays.copyOf(embedding(deeper), small.length),
          "rows do not depend on their number");
      Initialization.fill(deeper, 1235, 0.02);
      assertFalse(Arrays.equals(small, Arrays.copyOf(embedding(deeper), small.length)));
      assertEquals(0.02, deviation(small), 0.0005);
      float[] proj = values(model, "decoder.layers.1.self_attention.linear_proj.weight");
      assertEquals(0.02 / 2, deviation(proj), 0.0005, "residual projections: std / sqrt(2 L)");
      for (float one : values(model, "decoder.final_layernorm.weight")) {
        assertEquals(1f, one);
      }
    }
  }

  private static float[] embedding(LanguageModel model) {
    return values(model, "embedding.word_embeddings.weight");
  }

  private static float[] values(LanguageModel model, String name) {
    for (Parameter parameter : model.parameters().parameters()) {
      if (parameter.name().equals(name)) {
        return parameter.valueToArray();
      }
    }
    throw new IllegalArgumentException(name);
  }

  private static double deviation(float[] values) {
    double squares = 0;
    double sum = 0;
    for (float value : values) {
      squares += (double) value * value;
      sum += value;
    }
    double mean = sum / values.length;
    assertEquals(0, mean, 0.002);
    return Math.sqrt(squares / values.length - mean * mean);
  }

  @Test
  void listsEveryTensorThatIsMissingSurplusOrMisshapen() throws IOException {
    try (ComputeDevice device = device();
        LanguageModel model = LanguageModels.build(config(), 128, 64, false, device)) {
      Initialization.fill(model, 1, 0.02);
      ArrayTensorSource source = new ArrayTensorSource();
      for (Parameter parameter : model.parameters().parameters()) {
        source.put(parameter.name(), parameter.shape(), parameter.valueToArray());
      }
      WeightLoading.load(model, source, "memory");
      source.remove("decoder.layers.1.mlp.linear_fc2.weight");
      source.put("decoder.layers.2.mlp.linear_fc2.weight", List.of(1L), new float[1]);
      source.put("decoder.final_layernorm.weight", List.of(16L, 2L), new float[32]);
      WeightMismatchException e =
          assertThrows(
              WeightMismatchException.class, () -> WeightLoading.load(model, source, "memory"));
      assertEquals(3, e.differences().size(), e.getMessage());
      assertTrue(
          String.valueOf(e.getMessage()).contains("linear_fc2.weight: missing, expected [32, 48]"),
          e::getMessage);
    }
  }

  @Test
  void givesTheSameHiddenStatesTokenByTokenOverACache() {
    int[] tokens = {5, 17, 99, 3, 3, 42, 0, 8};
    try (ComputeDevice device = device();
        LanguageModel model =
            LanguageModels.build(config().withSlidingWindow(4), 128, 64, false, device);
        Tape tape = Tape.inference(device);
        KvCache cache = model.newCache(1, tokens.length)) {
      Initialization.fill(model, 7, 0.2);
      float[] whole = model.forward(tape, TokenBatch.of(1, tokens.length, tokens), null).toArray();
      tape.reset();
      List<float[]> steps = new ArrayList<>();
      for (int t = 0; t < tokens.length; t++) {
        TokenBatch one = TokenBatch.continuing(1, 1, new int[] {tokens[t]}, t);
        steps.add(model.forward(tape, one, cache).toArray());
        tape.reset();
      }
      for (int t = 0; t < tokens.length; t++) {
        assertArrayEquals(Arrays.copyOfRange(whole, t * 32, t * 32 + 32), steps.get(t), 1e-5f);
      }
    }
  }

  @Test
  void freesAllMemory() {
    try (ComputeDevice device = device()) {
      LanguageModel model = LanguageModels.build(config(), 128, 64, true, device);
      model.close();
      model.close();
      assertEquals(0, device.memoryUse().allocations());
    }
  }

  @Test
  void refusesQueryAndKeyNormalisation() {
    try (ComputeDevice device = device()) {
      assertThrows(
          IllegalArgumentException.class,
          () -> LanguageModels.build(config().withQkLayernorm(true), 128, 64, true, device));
      assertEquals(0, device.memoryUse().allocations());
    }
  }

  @Test
  void comparesATiedOutputLayerWithTheEmbedding() throws IOException {
    try (ComputeDevice device = device();
        LanguageModel model =
            LanguageModels.build(config().withTiedEmbeddings(true), 128, 64, false, device)) {
      Initialization.fill(model, 1, 0.02);
      ArrayTensorSource source = new ArrayTensorSource();
      for (Parameter parameter : model.parameters().parameters()) {
        source.put(parameter.name(), parameter.shape(), parameter.valueToArray());
      }
      float[] copy = embedding(model);
      source.put("output_layer.weight", List.of(128L, 32L), copy);
      WeightLoading.load(model, source, "memory");
      copy[77] += 1;
      source.put("output_layer.weight", List.of(128L, 32L), copy);
      WeightMismatchException e =
          assertThrows(
              WeightMismatchException.class, () -> WeightLoading.load(model, source, "memory"));
      assertTrue(
          String.valueOf(e.getMessage()).contains("values differ from byte 3"), e::getMessage);
      source.put("output_layer.weight", List.of(64L, 64L), copy);
      e =
          assertThrows(
              WeightMismatchException.class, () -> WeightLoading.load(model, source, "memory"));
      assertTrue(String.valueOf(e.getMessage()).contains("found F32 [64, 64]"), e::getMessage);
    }
  }
}
