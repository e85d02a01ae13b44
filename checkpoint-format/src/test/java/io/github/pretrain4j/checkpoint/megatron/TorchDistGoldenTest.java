package io.github.pretrain4j.checkpoint.megatron;

import static java.util.stream.Collectors.toSet;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.pretrain4j.checkpoint.DataType;
import io.github.pretrain4j.checkpoint.PickleObject;
import io.github.pretrain4j.checkpoint.SafetensorsReader;
import io.github.pretrain4j.checkpoint.SharedFiles;
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
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/**
 * Distributed checkpoints that Megatron-LM saved, against its own other files of the same weights.
 */
final class TorchDistGoldenTest {
  private static final Path RESOURCES = Path.of("src/test/resources/golden/megatron");
  private static final String LLAMA = "llama_head_torch_dist_tp2pp2_bf16/iter_0000001";

  @Test
  void readsTheModelThatTheTorchFormatHolds() throws IOException {
    sameModel(RESOURCES.resolve(LLAMA), RESOURCES.resolve("llama_mcore_te_tp2pp2_bf16"));
  }

  @TestFactory
  List<DynamicTest> readsTheModelsOfTheLargeCollection() {
    List<DynamicTest> tests = new ArrayList<>();
    SharedFiles.root()
        .ifPresent(
            root -> {
              Path megatron = root.resolve("megatron");
              tests.add(
                  DynamicTest.dynamicTest(
                      "qwen2 of one rank, tied",
                      () ->
                          sameModel(
                              megatron.resolve("qwen2_head_torch_dist_tp1pp1_bf16/iter_0000001"),
                              megatron.resolve("qwen2_mcore_local_tp2pp2_bf16"))));
              Path trained = root.resolve("megatron_train/llama_tp2pp2");
              for (int tensorRank = 0; tensorRank < 2; tensorRank++) {
                for (int stage = 0; stage < 2; stage++) {
                  int t = tensorRank;
                  int p = stage;
                  tests.add(
                      DynamicTest.dynamicTest(
                          "trained weights of rank " + t + " on stage " + p,
                          () -> sameShards(trained, t, p)));
                }
              }
              tests.add(
                  DynamicTest.dynamicTest(
                      "moments of Adam",
                      () ->
                          sameMoments(
                              trained.resolve("torch_dist_fp32/iter_0000020"),
                              root.resolve("hf/llama/train_adam_step20.safetensors"))));
            });
    return tests;
  }

  /** Every tensor bit for bit, whatever ranks and axes it is spread over. */
  private static void sameModel(Path distributed, Path torch) throws IOException {
    try (TorchDistCheckpoint actual = TorchDistCheckpoint.open(distributed);
        MegatronCheckpoint expected = MegatronCheckpoint.open(torch)) {
      TensorSource model = actual.fullTensors();
      Map<String, TensorInfo> infos = new TreeMap<>();
      model.tensors().forEach(info -> infos.put(info.name(), info));
      Map<String, TensorInfo> expectedInfos = new TreeMap<>();
      for (TensorInfo info : expected.fullTensors().tensors()) {
        // stages beside the first repeat tied embeddings in the torch format only
        if (!info.name().equals("output_layer.weight") || infos.containsKey(info.name())) {
          expectedInfos.put(info.name(), info);
        }
      }
      assertEquals(expectedInfos, infos);
      for (String name : infos.keySet()) {
        assertArrayEquals(bytes(expected.fullTensors(), name), bytes(model, name), name);
      }
      actual.verify();
    }
  }

  /** What one of 2 by 2 ranks held in memory: rows, columns, or the same rows of both halves. */
  private static void sameShards(Path trained, int tensorRank, int stage) throws IOException {
    Path file =
        trained.resolve("weights_fp32_mp_rank_0" + tensorRank + "_00" + stage + ".safetensors");
    try (TorchDistCheckpoint actual =
            TorchDistCheckpoint.open(trained.resolve("torch_dist_fp32/iter_0000020"));
        SafetensorsReader expected = SafetensorsReader.open(file)) {
      for (TensorInfo shard : expected.tensors()) {
        String name = shard.name();
        for (int layer = 0; layer < 2; layer++) {
          name = name.replace("layers." + layer + ".", "layers.+" + (2 * stage + layer) + ".");
        }
        float[][] whole = matrix(actual.fullTensors(), name.replace("+", ""));
        float[][] part = matrix(expected, shard.name());
        int rowShift = 0;
        int columnShift = 0;
        int half = 0;
        if (name.endsWith("linear_fc1.weight")) {
          half = whole.length / 2;
          rowShift = tensorRank * half / 2;
        } else if (part[0].length < whole[0].length) {
          columnShift = tensorRank * part[0].length;
        } else if (part.length < whole.length) {
          rowShift = tensorRank * part.length;
        }
        for (int row = 0; row < part.length; row++) {
          int from =
              half > 0 && row >= half / 2 ? row - half / 2 + half + rowShift : row + rowShift;
          for (int column = 0; column < part[0].length; column++) {
            assertEquals(whole[from][column + columnShift], part[row][column], name);
          }
        }
      }
    }
  }

  /** The moments that transformers and PyTorch came to on the same batches. */
  private static void sameMoments(Path distributed, Path adam) throws IOException {
    try (TorchDistCheckpoint actual = TorchDistCheckpoint.open(distributed);
        SafetensorsReader expected = SafetensorsReader.open(adam)) {
      TensorSource states = Objects.requireNonNull(actual.optimizerTensors());
      Set<String> names = new TreeSet<>();
      for (String state : List.of("exp_avg", "exp_avg_sq")) {
        for (TensorInfo parameter : actual.fullTensors().tensors()) {
          String name = "optimizer.state." + state + "." + parameter.name();
          names.add(name);
          assertEquals(parameter.withName(name), states.get(name));
          closeTo(moment(expected, state + ".", parameter.name()), matrix(states, name), name);
        }
      }
      assertEquals(names, states.tensors().stream().map(TensorInfo::name).collect(toSet()));
    }
  }

  private static void closeTo(float[][] expected, float[][] actual, String name) {
    assertEquals(expected.length, actual.length, name);
    double largest = 0;
    for (float[] row : expected) {
      for (float value : row) {
        largest = Math.max(largest, Math.abs(value));
      }
    }
    for (int row = 0; row < expected.length; row++) {
      for (int column = 0; column < expected[row].length; column++) {
        // fp32: two programs after 20 steps, relative to the largest element
        assertEquals(expected[row][column], actual[row][column], 1e-3 * largest, name);
      }
    }
  }

  /** Of the model of 4 heads in 2 groups of width 16. */
  private static float[][] moment(TensorSource source, String state, String name)
      throws IOException {
    String layer = name.replaceAll("decoder\\.(layers\\.\\d+\\.).*", "model.$1");
    String rest = name.replaceAll("decoder\\.layers\\.\\d+\\.", "");
    String hidden = state + layer;
    switch (rest) {
      case "self_attention.linear_qkv.weight" -> {
        float[][] q = matrix(source, hidden + "self_attn.q_proj.weight");
        float[][] k = matrix(source, hidden + "self_attn.k_proj.weight");
        float[][] v = matrix(source, hidden + "self_attn.v_proj.weight");
        List<float[]> rows = new ArrayList<>();
        for (int group = 0; group < 2; group++) {
          rows.addAll(Arrays.asList(q).subList(32 * group, 32 * group + 32));
          rows.addAll(Arrays.asList(k).subList(16 * group, 16 * group + 16));
          rows.addAll(Arrays.asList(v).subList(16 * group, 16 * group + 16));
        }
        return rows.toArray(float[][]::new);
      }
      case "mlp.linear_fc1.weight" -> {
        List<float[]> rows =
            new ArrayList<>(Arrays.asList(matrix(source, hidden + "mlp.gate_proj.weight")));
        rows.addAll(Arrays.asList(matrix(source, hidden + "mlp.up_proj.weight")));
        return rows.toArray(float[][]::new);
      }
      default -> {
        return matrix(
            source,
            switch (rest) {
              case "input_layernorm.weight" -> hidden + "input_layernorm.weight";
              case "pre_mlp_layernorm.weight" -> hidden + "post_attention_layernorm.weight";
              case "self_attention.linear_proj.weight" -> hidden + "self_attn.o_proj.weight";
              case "mlp.linear_fc2.weight" -> hidden + "mlp.down_proj.weight";
              case "embedding.word_embeddings.weight" -> state + "model.embed_tokens.weight";
              case "decoder.final_layernorm.weight" -> state + "model.norm.weight";
              case "output_layer.weight" -> state + "lm_head.weight";
              default -> throw new IllegalArgumentException(rest);
            });
      }
    }
  }

  /** A fp32 tensor; a vector is one row. */
  private static float[][] matrix(TensorSource source, String name) throws IOException {
    TensorInfo info = source.get(name);
    assertEquals(DataType.F32, info.type(), name);
    boolean vector = info.shape().size() == 1;
    int rows = vector ? 1 : info.shape().get(0).intValue();
    float[][] matrix = new float[rows][info.shape().get(vector ? 0 : 1).intValue()];
    ByteBuffer data = ByteBuffer.wrap(bytes(source, name)).order(ByteOrder.LITTLE_ENDIAN);
    for (float[] row : matrix) {
      data.asFloatBuffer().get(row);
      data.position(data.position() + row.length * Float.BYTES);
    }
    return matrix;
  }

  @Test
  void readsTheStateThatIsNotSharded() throws IOException {
    try (TorchDistCheckpoint checkpoint = TorchDistCheckpoint.open(RESOURCES.resolve(LLAMA))) {
      assertEquals(PickleObject.of(1), checkpoint.commonState().get("iteration"));
      assertEquals(PickleObject.of(3.0), checkpoint.commonState().get("checkpoint_version"));
      assertEquals(4L, checkpoint.arguments().get("num_layers"));
      assertEquals("RMSNorm", checkpoint.arguments().get("normalization"));
      assertNull(checkpoint.optimizerTensors());
      assertTrue(
          checkpoint.objectKeys().contains("decoder.layers.mlp.linear_fc2._extra_state/shard_3_4"));
      assertEquals(
          new PickleObject.PyList(List.of(PickleObject.none())),
          checkpoint.object("decoder.layers.mlp.linear_fc2._extra_state/shard_3_4").root());
    }
  }

  private static byte[] bytes(TensorSource source, String name) throws IOException {
    TensorInfo info = source.get(name);
    ByteBuffer data = ByteBuffer.allocate((int) info.byteCount()).order(ByteOrder.LITTLE_ENDIAN);
    source.read(name, 0, data);
    assertEquals(0, data.remaining());
    return data.array();
  }
}
