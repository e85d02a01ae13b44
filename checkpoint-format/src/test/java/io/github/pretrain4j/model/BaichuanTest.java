package io.github.pretrain4j.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.pretrain4j.checkpoint.DataType;
import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.TensorSource;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

final class BaichuanTest extends ModelFamilyContract {
  private static final String OUTPUT = "lm_head.weight";

  @Override
  protected ModelFamily family() {
    return ModelFamilies.find("baichuan");
  }

  @Override
  protected List<String> configurations() {
    return List.of(ConfigTexts.BAICHUAN, ConfigTexts.BAICHUAN_ALIBI);
  }

  private TransformerConfig config(String json) throws IOException {
    return family().config(HuggingFaceConfig.parse(json, Path.of("config.json")));
  }

  @Test
  void refusesAlibiForMegatronWithTheReason() throws IOException {
    assertEquals(List.of(), family().problems(config(ConfigTexts.BAICHUAN)));
    TransformerConfig config = config(ConfigTexts.BAICHUAN_ALIBI);
    assertEquals(PositionEmbedding.ALIBI, config.positionEmbedding());
    List<String> problems = family().problems(config);
    assertEquals(1, problems.size());
    assertTrue(problems.get(0).contains("ALiBi"), problems::toString);
  }

  @Test
  void packsAllQueriesThenAllKeysThenAllValues() throws IOException {
    TransformerConfig config = config(ConfigTexts.BAICHUAN);
    WeightMapping mapping = family().weights(config);
    MemoryTensors source = MemoryTensors.random(mapping.huggingFaceTensors(DataType.I8), 3);
    String packed = "model.layers.1.self_attn.W_pack.weight";
    byte[] rows = new byte[48 * 16];
    for (int i = 0; i < rows.length; i++) {
      rows[i] = (byte) (i / 16);
    }
    source.put(new TensorInfo(packed, DataType.I8, List.of(48L, 16L)), rows);
    byte[] fused =
        MemoryTensors.copyOf(mapping.toMegatron(source))
            .bytes("decoder.layers.1.self_attention.linear_qkv.weight");
    // Head 2 of 4 heads with 4 rows each: its queries, its keys, its values.
    int[] expected = {8, 9, 10, 11, 24, 25, 26, 27, 40, 41, 42, 43};
    for (int i = 0; i < expected.length; i++) {
      assertEquals(expected[i], fused[(24 + i) * 16], "row " + (24 + i));
    }
    assertEquals(
        new WeightMapping.Slice(24, 4, "decoder.layers.1.self_attention.linear_qkv.weight", 28),
        mapping.slices(packed).get(6));
  }

  @Test
  void dividesTheRowsOfTheOutputLayerByTheirLength() throws IOException {
    TransformerConfig config = config(ConfigTexts.BAICHUAN);
    MemoryTensors source =
        MemoryTensors.random(family().weights(config).huggingFaceTensors(DataType.F32), 4);
    float[][] rows = rows(11, 16, 5);
    Arrays.fill(rows[3], 0);
    source.put(source.get(OUTPUT), bytes(rows));
    TensorSource view = family().sourceTransform(config, source);
    assertEquals(source.tensors(), view.tensors());
    FloatBuffer values =
        ByteBuffer.wrap(MemoryTensors.copyOf(view).bytes(OUTPUT))
            .order(ByteOrder.LITTLE_ENDIAN)
            .asFloatBuffer();
    for (int row = 0; row < 11; row++) {
      double sum = 0;
      for (float value : rows[row]) {
        sum += (double) value * value;
      }
      for (int i = 0; i < 16; i++) {
        double expected = row == 3 ? 0 : rows[row][i] / Math.sqrt(sum);
        assertEquals(expected, values.get(row * 16 + i), 1e-7); // fp32, elements below 1
      }
    }
    assertEquals(Map.of(OUTPUT, "").keySet(), family().sourceChanges(config, source).keySet());
    assertArrayEquals(
        source.bytes("model.norm.weight"), MemoryTensors.copyOf(view).bytes("model.norm.weight"));
  }

  @Test
  void readsAnyRangeOfTheDividedRows() throws IOException {
    TransformerConfig config = config(ConfigTexts.BAICHUAN);
    for (DataType type : new DataType[] {DataType.BF16, DataType.F32}) {
      MemoryTensors source =
          MemoryTensors.random(List.of(new TensorInfo(OUTPUT, type, List.of(11L, 16L))), 6);
      TensorSource view = family().sourceTransform(config, source);
      byte[] whole = MemoryTensors.copyOf(view).bytes(OUTPUT);
      Random random = new Random(7);
      for (int i = 0; i < 50; i++) {
        int from = random.nextInt(whole.length);
        ByteBuffer part = ByteBuffer.allocate(random.nextInt(whole.length - from + 1));
        view.read(OUTPUT, from, part);
        assertArrayEquals(Arrays.copyOfRange(whole, from, from + part.capacity()), part.array());
      }
    }
  }

  @Test
  void leavesTheOutputLayerOfTheFirstBaichuanAlone() throws IOException {
    TransformerConfig config =
        config(ConfigTexts.BAICHUAN.replace("vocab_size\": 11", "vocab_size\": 64000"));
    MemoryTensors source =
        MemoryTensors.random(List.of(new TensorInfo(OUTPUT, DataType.F32, List.of(2L, 2L))), 8);
    assertSame(source, family().sourceTransform(config, source));
    assertEquals(Map.of(), family().sourceChanges(config, source));
  }

  private static float[][] rows(int rows, int columns, long seed) {
    Random random = new Random(seed);
    float[][] values = new float[rows][columns];
    for (float[] row : values) {
      for (int i = 0; i < columns; i++) {
        row[i] = (float) random.nextGaussian() * 3;
      }
    }
    return values;
  }

  private static byte[] bytes(float[][] rows) {
    ByteBuffer buffer =
        ByteBuffer.allocate(rows.length * rows[0].length * Float.BYTES)
            .order(ByteOrder.LITTLE_ENDIAN);
    for (float[] row : rows) {
      for (float value : row) {
        buffer.putFloat(value);
      }
    }
    return buffer.array();
  }
}
