package io.github.pretrain4j.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.pretrain4j.checkpoint.DataType;
import io.github.pretrain4j.checkpoint.TensorInfo;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

final class WeightMappingTest {
  private static final TransformerConfig CONFIG =
      TransformerConfig.builder()
          .family("test")
          .numLayers(2)
          .hiddenSize(4)
          .ffnHiddenSize(3)
          .numAttentionHeads(4)
          .numQueryGroups(2)
          .kvChannels(2)
          .vocabSize(5)
          .maxPositionEmbeddings(8)
          .build();

  @Test
  void interleavesQueriesKeysAndValuesByGroup() throws IOException {
    WeightMapping mapping = WeightMapping.llamaLayout(CONFIG);
    MemoryTensors source = MemoryTensors.random(mapping.huggingFaceTensors(DataType.I8), 1);
    source.put(tensor("q_proj", 8), rows(8, 10));
    source.put(tensor("k_proj", 4), rows(4, 30));
    source.put(tensor("v_proj", 4), rows(4, 50));
    MemoryTensors megatron = MemoryTensors.copyOf(mapping.toMegatron(source));
    byte[] firstOfRow = new byte[16];
    for (int row = 0; row < 16; row++) {
      firstOfRow[row] =
          megatron.bytes("decoder.layers.1.self_attention.linear_qkv.weight")[row * 4];
    }
    assertArrayEquals(
        new byte[] {10, 11, 12, 13, 30, 31, 50, 51, 14, 15, 16, 17, 32, 33, 52, 53}, firstOfRow);
  }

  private static TensorInfo tensor(String module, long rows) {
    return new TensorInfo(
        "model.layers.1.self_attn." + module + ".weight", DataType.I8, List.of(rows, 4L));
  }

  private static byte[] rows(int count, int first) {
    byte[] bytes = new byte[count * 4];
    for (int i = 0; i < bytes.length; i++) {
      bytes[i] = (byte) (first + i / 4);
    }
    return bytes;
  }

  @Test
  void keepsTheOrderOfModulesWhateverIsAddedLater() {
    WeightMapping mapping =
        WeightMapping.llamaLayout(CONFIG)
            .rename(
                "decoder.layers.*.self_attention.q_layernorm.weight",
                "model.layers.*.self_attn.q_norm.weight");
    List<String> megatron =
        mapping.megatronTensors(DataType.F32).stream().map(TensorInfo::name).toList();
    List<String> huggingFace =
        mapping.huggingFaceTensors(DataType.F32).stream().map(TensorInfo::name).toList();
    assertEquals("decoder.layers.0.self_attention.q_layernorm.weight", megatron.get(4));
    assertEquals("model.layers.0.self_attn.q_norm.weight", huggingFace.get(5));
    assertEquals("output_layer.weight", megatron.get(megatron.size() - 1));
    assertEquals("lm_head.weight", huggingFace.get(huggingFace.size() - 1));
  }

  @Test
  void refusesRowsMappedTwiceOrNever() {
    WeightMapping empty = WeightMapping.empty(CONFIG);
    assertThrows(
        IllegalArgumentException.class,
        () -> empty.compose("a", List.of(4L, 2L), List.of(new WeightMapping.Block("b", 0, 3))));
    assertThrows(
        IllegalArgumentException.class,
        () ->
            empty.compose(
                "a",
                List.of(4L, 2L),
                List.of(new WeightMapping.Block("b", 0, 2), new WeightMapping.Block("b", 1, 2))));
    assertThrows(
        IllegalArgumentException.class,
        () -> empty.compose("a", List.of(2L), List.of(new WeightMapping.Block("b", 2, 2))));
    assertThrows(
        IllegalArgumentException.class,
        () -> WeightMapping.llamaLayout(CONFIG).rename("output_layer.weight", "other.weight"));
    assertThrows(IllegalArgumentException.class, () -> empty.rename("a.*.weight", "b.weight"));
  }

  @Test
  void replacesWhatAFamilyDoesDifferently() {
    // One fused tensor with all queries, then all keys, then all values, as some families store it.
    long q = 8;
    long k = 4;
    List<WeightMapping.Block> blocks = new ArrayList<>();
    for (WeightMapping.Block block : WeightMapping.queryKeyValue(CONFIG, "q", "k", "v")) {
      long shift =
          block.huggingFaceName().equals("q") ? 0 : block.huggingFaceName().equals("k") ? q : q + k;
      blocks.add(
          new WeightMapping.Block(
              "model.layers.*.self_attn.W_pack.weight",
              shift + block.firstRow(),
              block.rowCount()));
    }
    String name = "decoder.layers.*.self_attention.linear_qkv.weight";
    WeightMapping mapping =
        WeightMapping.llamaLayout(CONFIG).without(name).compose(name, List.of(16L, 4L), blocks);
    List<String> names =
        mapping.huggingFaceTensors(DataType.F32).stream().map(TensorInfo::name).toList();
    assertTrue(names.contains("model.layers.1.self_attn.W_pack.weight"));
    assertTrue(names.stream().noneMatch(n -> n.contains("q_proj")));
  }

  @Test
  void allowsBuffersAndCopiesOfTiedWeights() {
    WeightMapping mapping = WeightMapping.llamaLayout(CONFIG.withTiedEmbeddings(true));
    List<TensorInfo> tensors = new ArrayList<>(mapping.huggingFaceTensors(DataType.F32));
    tensors.add(new TensorInfo("lm_head.weight", DataType.F32, List.of(5L, 4L)));
    tensors.add(
        new TensorInfo("model.layers.0.self_attn.rotary_emb.inv_freq", DataType.F32, List.of(1L)));
    assertEquals(List.of(), mapping.huggingFaceProblems(tensors));
    assertEquals("model.embed_tokens.weight", mapping.huggingFaceCopies().get("lm_head.weight"));
  }

  @Test
  void refusesDifferentTypesInOneTensor() {
    WeightMapping mapping = WeightMapping.llamaLayout(CONFIG);
    List<TensorInfo> tensors =
        mapping.huggingFaceTensors(DataType.F32).stream()
            .map(t -> t.name().contains("0.mlp.up_proj") ? t.withType(DataType.BF16) : t)
            .toList();
    List<String> problems = mapping.huggingFaceProblems(tensors);
    assertEquals(1, problems.size(), problems::toString);
    assertTrue(problems.get(0).contains("decoder.layers.0.mlp.linear_fc1.weight"));
  }

  @Test
  void padsTheVocabularyAsMegatronDoes() {
    assertEquals(32000, TransformerConfig.paddedVocabSize(32000, 128, 1));
    assertEquals(32256, TransformerConfig.paddedVocabSize(32000, 128, 4));
    assertEquals(128256, TransformerConfig.paddedVocabSize(128256, 128, 2));
    assertEquals(128512, TransformerConfig.paddedVocabSize(128256, 128, 4));
    assertEquals(500, TransformerConfig.paddedVocabSize(500, 125, 2));
  }
}
