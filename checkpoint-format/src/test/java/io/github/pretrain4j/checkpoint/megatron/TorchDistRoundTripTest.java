package io.github.pretrain4j.checkpoint.megatron;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.pretrain4j.checkpoint.CorruptCheckpointException;
import io.github.pretrain4j.checkpoint.DataType;
import io.github.pretrain4j.checkpoint.PickleObject;
import io.github.pretrain4j.checkpoint.PlannedFile;
import io.github.pretrain4j.checkpoint.PlannedFiles;
import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.TensorReference;
import io.github.pretrain4j.checkpoint.TensorSource;
import io.github.pretrain4j.checkpoint.distributed.DistributedCheckpoint;
import io.github.pretrain4j.model.MemoryTensors;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What is planned is read back, under the keys that Megatron's layer specifications ask for. */
final class TorchDistRoundTripTest {
  private static final long H = 4;

  private static TensorInfo bf16(String name, long... shape) {
    List<Long> sizes = new ArrayList<>();
    for (long size : shape) {
      sizes.add(size);
    }
    return new TensorInfo(name, DataType.BF16, sizes);
  }

  private static List<TensorInfo> outside() {
    return List.of(
        bf16("embedding.word_embeddings.weight", 16, H),
        bf16("decoder.final_layernorm.weight", H),
        bf16("output_layer.weight", 16, H));
  }

  private static List<TensorInfo> attention(String layer) {
    return List.of(
        bf16(layer + "input_layernorm.weight", H),
        bf16(layer + "self_attention.linear_qkv.weight", 8, H),
        bf16(layer + "self_attention.linear_qkv.bias", 8),
        bf16(layer + "self_attention.q_layernorm.weight", 2),
        bf16(layer + "self_attention.k_layernorm.weight", 2),
        bf16(layer + "self_attention.linear_proj.weight", H, H),
        bf16(layer + "pre_mlp_layernorm.weight", H));
  }

  private static List<TensorInfo> latentAttention(String layer) {
    return List.of(
        bf16(layer + "input_layernorm.weight", H),
        bf16(layer + "self_attention.linear_q_down_proj.weight", 3, H),
        bf16(layer + "self_attention.linear_q_up_proj.weight", 8, 3),
        bf16(layer + "self_attention.linear_kv_down_proj.weight", 5, H),
        bf16(layer + "self_attention.linear_kv_up_proj.weight", 8, 5),
        bf16(layer + "self_attention.q_layernorm.weight", 3),
        bf16(layer + "self_attention.kv_layernorm.weight", 5),
        bf16(layer + "self_attention.linear_proj.weight", H, H),
        bf16(layer + "pre_mlp_layernorm.weight", H));
  }

  private static List<TensorInfo> dense(String layer) {
    return List.of(
        bf16(layer + "mlp.linear_fc1.weight", 12, H), bf16(layer + "mlp.linear_fc2.weight", H, 6));
  }

  private static List<TensorInfo> experts(String layer, int count) {
    List<TensorInfo> tensors = new ArrayList<>();
    tensors.add(bf16(layer + "mlp.router.weight", count, H));
    tensors.add(
        new TensorInfo(layer + "mlp.router.expert_bias", DataType.F32, List.of((long) count)));
    for (int e = 0; e < count; e++) {
      String expert = layer + "mlp.experts.local_experts." + e + ".";
      tensors.add(bf16(expert + "linear_fc1.weight", 6, H));
      tensors.add(bf16(expert + "linear_fc2.weight", H, 3));
    }
    tensors.add(bf16(layer + "mlp.shared_experts.linear_fc1.weight", 6, H));
    tensors.add(bf16(layer + "mlp.shared_experts.linear_fc2.weight", H, 3));
    tensors.add(bf16(layer + "mlp.shared_experts.gate_weight", 1, H));
    return tensors;
  }

  private static List<TensorInfo> model(String kind) {
    List<TensorInfo> tensors = new ArrayList<>(outside());
    for (int i = 0; i < 3; i++) {
      String layer = "decoder.layers." + i + ".";
      switch (kind) {
        case "dense" -> {
          tensors.addAll(attention(layer));
          tensors.addAll(dense(layer));
        }
        case "experts" -> {
          tensors.addAll(attention(layer));
          tensors.addAll(experts(layer, 11));
        }
        case "latent" -> {
          tensors.addAll(latentAttention(layer));
          tensors.addAll(i == 0 ? dense(layer) : experts(layer, 2));
        }
        default -> throw new IllegalArgumentException(kind);
      }
    }
    if (kind.equals("latent")) {
      String mtp = "mtp.layers.0.";
      tensors.add(bf16(mtp + "enorm.weight", H));
      tensors.add(bf16(mtp + "hnorm.weight", H));
      tensors.add(bf16(mtp + "eh_proj.weight", H, 2 * H));
      tensors.addAll(latentAttention(mtp + "transformer_layer."));
      tensors.addAll(experts(mtp + "transformer_layer.", 2));
      tensors.add(bf16(mtp + "final_layernorm.weight", H));
    }
    return tensors;
  }

  private static Map<String, Object> arguments(String kind) {
    Map<String, Object> arguments = new LinkedHashMap<>();
    arguments.put("num_layers", 3L);
    arguments.put("moe_layer_freq", kind.equals("latent") ? List.of(0L, 1L, 1L) : (Object) 1L);
    return arguments;
  }

  @ParameterizedTest
  @CsvSource({
    "dense, LOCAL, 1", "dense, TRANSFORMER_ENGINE, 3",
    "experts, LOCAL, 2", "experts, TRANSFORMER_ENGINE, 1",
    "latent, LOCAL, 1", "latent, TRANSFORMER_ENGINE, 5"
  })
  void readsBackModelAndOptimizer(
      String kind, LayerSpec layerSpec, int files, @TempDir Path directory) throws IOException {
    MemoryTensors model = MemoryTensors.random(model(kind), 5);
    List<TensorInfo> states = new ArrayList<>();
    for (TensorInfo tensor : model.tensors()) {
      for (String state : List.of("exp_avg", "exp_avg_sq", "fp32_param")) {
        states.add(
            tensor
                .withName("optimizer.state." + state + "." + tensor.name())
                .withType(DataType.F32));
      }
    }
    MemoryTensors optimizer = MemoryTensors.random(states, 6);
    PickleObject step = TensorReference.contiguous("step", DataType.F32, List.of());
    List<PlannedFile> planned =
        TorchDistFiles.plan(
            model,
            optimizer,
            arguments(kind),
            new TorchDistFiles.CommonState(
                Map.of("iteration", PickleObject.of(7), "optimizer", step),
                (tensor, out) -> out.write(ByteBuffer.wrap(new byte[] {1, 2, 3, 4}))),
            new TorchDistFiles.Options(layerSpec, files));
    assertEquals(files + 3, planned.size());
    PlannedFiles.write(directory, planned, PlannedFiles.Options.DEFAULT.withWorkers(2));
    assertTrue(TorchDistCheckpoint.isIn(directory));
    try (TorchDistCheckpoint checkpoint = TorchDistCheckpoint.open(directory)) {
      same(model, checkpoint.fullTensors());
      same(optimizer, Objects.requireNonNull(checkpoint.optimizerTensors()));
      assertEquals(3L, checkpoint.arguments().get("num_layers"));
      assertEquals(PickleObject.of(7), checkpoint.commonState().get("iteration"));
      TensorReference readStep =
          (TensorReference) Objects.requireNonNull(checkpoint.commonState().get("optimizer"));
      ByteBuffer value = ByteBuffer.allocate(4).order(ByteOrder.BIG_ENDIAN);
      checkpoint.read(readStep, 0, value);
      assertEquals(0x01020304, value.getInt(0));
      checkpoint.verify();
    }
    try (DistributedCheckpoint data = DistributedCheckpoint.open(directory)) {
      // what Megatron's distributed optimizer calls them; the data is there once
      String param = "optimizer.state.param.embedding.word_embeddings.weight";
      String master = "optimizer.state.fp32_param.embedding.word_embeddings.weight";
      assertEquals(shape(data, master), shape(data, param));
      assertTrue(data.isSameData(param, master));
      assertFalse(data.isSameData(param, param.replace("param", "exp_avg")));
    }
  }

  /** Only the distributed optimizer's name of the fp32 weights, as it saves them itself. */
  @Test
  void readsTheWeightsOfTheDistributedOptimizer(@TempDir Path directory) throws IOException {
    MemoryTensors model = MemoryTensors.random(model("dense"), 5);
    List<TensorInfo> states = new ArrayList<>();
    for (TensorInfo tensor : model.tensors()) {
      states.add(tensor.withName("optimizer.state.param." + tensor.name()).withType(DataType.F32));
    }
    MemoryTensors optimizer = MemoryTensors.random(states, 6);
    PlannedFiles.write(
        directory,
        TorchDistFiles.plan(
            model,
            optimizer,
            arguments("dense"),
            TorchDistFiles.CommonState.of(Map.of()),
            TorchDistFiles.Options.DEFAULT),
        PlannedFiles.Options.DEFAULT);
    try (TorchDistCheckpoint checkpoint = TorchDistCheckpoint.open(directory)) {
      TensorSource read = Objects.requireNonNull(checkpoint.optimizerTensors());
      assertEquals(states.size(), read.tensors().size());
      for (TensorInfo info : states) {
        String name = info.name().replace(".param.", ".fp32_param.");
        assertArrayEquals(optimizer.bytes(info.name()), bytes(read, read.get(name)), name);
      }
    }
  }

  private static void same(TensorSource expected, TensorSource actual) throws IOException {
    assertEquals(
        expected.tensors().stream().map(TensorInfo::name).collect(Collectors.toSet()),
        actual.tensors().stream().map(TensorInfo::name).collect(Collectors.toSet()));
    for (TensorInfo info : expected.tensors()) {
      assertEquals(info, actual.get(info.name()));
      assertArrayEquals(bytes(expected, info), bytes(actual, info), info.name());
    }
  }

  private static byte[] bytes(TensorSource source, TensorInfo info) throws IOException {
    ByteBuffer buffer = ByteBuffer.allocate((int) info.byteCount());
    source.read(info.name(), 0, buffer);
    return buffer.array();
  }

  private static DistributedCheckpoint write(String kind, LayerSpec layerSpec, Path directory)
      throws IOException {
    PlannedFiles.write(
        directory,
        TorchDistFiles.plan(
            MemoryTensors.random(model(kind), 1),
            null,
            arguments(kind),
            TorchDistFiles.CommonState.of(Map.of()),
            new TorchDistFiles.Options(layerSpec, 1)),
        PlannedFiles.Options.DEFAULT);
    return DistributedCheckpoint.open(directory);
  }

  private static List<Long> shape(DistributedCheckpoint checkpoint, String key) {
    return checkpoint.tensors().get(key).shape();
  }

  @Test
  void stacksLayersThatAreAlike(@TempDir Path directory) throws IOException {
    try (DistributedCheckpoint checkpoint = write("dense", LayerSpec.LOCAL, directory)) {
      assertEquals(
          Set.of(
              "embedding.word_embeddings.weight",
              "decoder.layers.self_attention.linear_qkv.layer_norm_weight",
              "decoder.layers.self_attention.linear_qkv.weight",
              "decoder.layers.self_attention.linear_qkv.bias",
              "decoder.layers.self_attention.q_layernorm.weight",
              "decoder.layers.self_attention.k_layernorm.weight",
              "decoder.layers.self_attention.linear_proj.weight",
              "decoder.layers.mlp.linear_fc1.layer_norm_weight",
              "decoder.layers.mlp.linear_fc1.weight",
              "decoder.layers.mlp.linear_fc2.weight",
              "decoder.final_layernorm.weight",
              "output_layer.weight"),
          checkpoint.tensors().tensors().stream()
              .map(TensorInfo::name)
              .collect(Collectors.toSet()));
      assertEquals(List.of(3L, 12L, H), shape(checkpoint, "decoder.layers.mlp.linear_fc1.weight"));
      assertEquals(3, checkpoint.chunks("decoder.layers.mlp.linear_fc1.weight").size());
      TreeSet<String> objects = new TreeSet<>(checkpoint.objectKeys());
      for (int layer = 0; layer < 3; layer++) {
        for (String module :
            List.of(
                "self_attention.linear_qkv",
                "self_attention.linear_proj",
                "self_attention.core_attention",
                "mlp.linear_fc1",
                "mlp.linear_fc2")) {
          assertTrue(
              objects.contains("decoder.layers." + module + "._extra_state/shard_" + layer + "_3"),
              module);
        }
      }
      assertTrue(objects.contains("decoder.final_layernorm._extra_state/shard_0_1"));
    }
  }

  @Test
  void stacksExperts(@TempDir Path directory) throws IOException {
    String experts = "decoder.layers.mlp.experts.experts.linear_fc1.";
    Path local = directory.resolve("local");
    try (DistributedCheckpoint checkpoint = write("experts", LayerSpec.LOCAL, local)) {
      assertEquals(List.of(3L, 11L, 6L, H), shape(checkpoint, experts + "weight"));
      assertEquals(
          List.of(3L, H), shape(checkpoint, "decoder.layers.mlp.linear_fc1.layer_norm_weight"));
      assertTrue(checkpoint.objectKeys().contains(experts + "_extra_state/shard_2.10_3.11"));
    }
    Path engine = directory.resolve("engine");
    try (DistributedCheckpoint checkpoint =
        write("experts", LayerSpec.TRANSFORMER_ENGINE, engine)) {
      assertEquals(List.of(3L, H), shape(checkpoint, "decoder.layers.pre_mlp_layernorm.weight"));
    }
  }

  @Test
  void numbersLayersThatDiffer(@TempDir Path directory) throws IOException {
    Path engine = directory.resolve("engine");
    try (DistributedCheckpoint checkpoint = write("latent", LayerSpec.TRANSFORMER_ENGINE, engine)) {
      for (String key :
          List.of(
              "decoder.layers.0.mlp.linear_fc1.layer_norm_weight",
              "decoder.layers.1.pre_mlp_layernorm.weight",
              "decoder.layers.1.input_layernorm.weight",
              "mtp.layers.0.transformer_layer.pre_mlp_layernorm.weight")) {
        assertEquals(List.of(H), shape(checkpoint, key));
      }
      assertEquals(
          List.of(3L),
          shape(checkpoint, "decoder.layers.2.self_attention.linear_q_up_proj.layer_norm_weight"));
      assertEquals(
          List.of(5L),
          shape(checkpoint, "decoder.layers.2.self_attention.linear_kv_up_proj.layer_norm_weight"));
      assertEquals(
          List.of(2L, 6L, H),
          shape(checkpoint, "decoder.layers.1.mlp.experts.experts.linear_fc1.weight"));
      assertEquals(
          List.of(2L, 6L, H),
          shape(
              checkpoint, "mtp.layers.0.transformer_layer.mlp.experts.experts.linear_fc1.weight"));
      assertTrue(
          checkpoint
              .objectKeys()
              .contains("decoder.layers.1.mlp.experts.experts.linear_fc2._extra_state/shard_1_2"));
      assertTrue(
          checkpoint
              .objectKeys()
              .contains("decoder.layers.2.self_attention.linear_proj._extra_state/shard_0_1"));
    }
    Path local = directory.resolve("local");
    try (DistributedCheckpoint checkpoint = write("latent", LayerSpec.LOCAL, local)) {
      for (String key :
          List.of(
              "decoder.layers.0.pre_mlp_layernorm.weight",
              "decoder.layers.1.pre_mlp_layernorm.weight")) {
        assertEquals(List.of(H), shape(checkpoint, key));
      }
      assertEquals(
          List.of(5L), shape(checkpoint, "decoder.layers.2.self_attention.kv_layernorm.weight"));
    }
  }

  /** Keys of other versions and wrappers, to the canonical name of layer 7 and expert 9. */
  @ParameterizedTest
  @CsvSource({
    "module.decoder.layers.self_attention.linear_qkv.weight,"
        + " decoder.layers.7.self_attention.linear_qkv.weight",
    "model.module.embedding.word_embeddings.weight, embedding.word_embeddings.weight",
    "decoder.layers.3.mlp.experts.experts.5.linear_fc1.weight_w,"
        + " decoder.layers.3.mlp.experts.local_experts.5.linear_fc1.weight",
    "decoder.layers.mlp.experts.experts.linear_fc2.weight,"
        + " decoder.layers.7.mlp.experts.local_experts.9.linear_fc2.weight",
    "mtp.layers.0.mtp_model_layer.mlp.linear_fc1.layer_norm_weight,"
        + " mtp.layers.0.transformer_layer.pre_mlp_layernorm.weight",
    "chained_1.optimizer.state.exp_avg.decoder.layers.mlp.linear_fc2.weight,"
        + " decoder.layers.7.mlp.linear_fc2.weight",
    "decoder.layers.mlp.linear_fc1.layer_norm_bias, decoder.layers.7.pre_mlp_layernorm.bias"
  })
  void understandsTheKeysOfOthers(String key, String canonical) {
    assertEquals(canonical, Objects.requireNonNull(TorchDistKey.parse(key)).name(7, 9));
  }

  @Test
  void joinsTheHalvesOfGatedLayers(@TempDir Path directory) throws IOException {
    MemoryTensors model = MemoryTensors.random(model("dense"), 3);
    MemoryTensors halves = new MemoryTensors();
    for (TensorInfo info : model.tensors()) {
      byte[] all = model.bytes(info.name());
      if (info.name().endsWith("linear_fc1.weight")) {
        List<Long> shape = List.of(6L, H);
        for (int half = 0; half < 2; half++) {
          TensorInfo part =
              new TensorInfo(info.name() + (half == 0 ? "_w" : "_v"), info.type(), shape);
          int length = all.length / 2;
          halves.put(part, Arrays.copyOfRange(all, half * length, (half + 1) * length));
        }
      } else {
        halves.put(info, all);
      }
    }
    PlannedFiles.write(
        directory,
        TorchDistFiles.plan(
            halves,
            null,
            Map.of("num_layers", 3L, "moe_layer_freq", List.of(1L)),
            TorchDistFiles.CommonState.of(Map.of()),
            TorchDistFiles.Options.DEFAULT),
        PlannedFiles.Options.DEFAULT);
    try (TorchDistCheckpoint checkpoint = TorchDistCheckpoint.open(directory)) {
      same(model, checkpoint.fullTensors());
      ByteBuffer across = ByteBuffer.allocate(20);
      checkpoint.fullTensors().read("decoder.layers.1.mlp.linear_fc1.weight", 40, across);
      assertArrayEquals(
          Arrays.copyOfRange(model.bytes("decoder.layers.1.mlp.linear_fc1.weight"), 40, 60),
          across.array());
    }
  }

  @Test
  void listsAllProblemsBeforeWriting() {
    MemoryTensors model = MemoryTensors.random(model("experts"), 1);
    model.remove("decoder.layers.1.mlp.experts.local_experts.4.linear_fc1.weight");
    model.put(bf16("decoder.layers.2.mlp.router.weight", 1, 1), new byte[2]);
    MemoryTensors optimizer =
        MemoryTensors.random(
            List.of(
                bf16("optimizer.state.exp_avg.no.such", 1),
                bf16("optimizer.state.exp_avg.output_layer.weight", 16, H)),
            2);
    IllegalArgumentException e =
        assertThrows(
            IllegalArgumentException.class,
            () ->
                TorchDistFiles.plan(
                    model,
                    optimizer,
                    Map.of(),
                    TorchDistFiles.CommonState.of(Map.of()),
                    TorchDistFiles.Options.DEFAULT));
    String message = String.valueOf(e.getMessage());
    assertTrue(message.contains("decoder.layers.1.mlp.experts.experts.linear_fc1.weight"), message);
    assertTrue(message.contains("no.such"), message);
    assertThrows(
        IllegalArgumentException.class,
        () ->
            TorchDistFiles.plan(
                MemoryTensors.random(model("dense"), 1),
                null,
                Map.of(),
                TorchDistFiles.CommonState.of(Map.of()),
                new TorchDistFiles.Options(LayerSpec.LEGACY, 1)));
  }

  @Test
  void saysWhatIsMissing(@TempDir Path directory) throws IOException {
    write("dense", LayerSpec.LOCAL, directory).close();
    Path common = directory.resolve("common.pt");
    byte[] good = Files.readAllBytes(common);
    Files.delete(common);
    assertThrows(CorruptCheckpointException.class, () -> TorchDistCheckpoint.open(directory));
    Files.write(common, Arrays.copyOf(good, good.length / 2));
    assertThrows(CorruptCheckpointException.class, () -> TorchDistCheckpoint.open(directory));
    Files.write(common, good);
    TorchDistCheckpoint.open(directory).close();
  }

  @Test
  void refusesLayersThatTheArgumentsDoNotCount(@TempDir Path directory) throws IOException {
    MemoryTensors model = MemoryTensors.random(model("dense"), 1);
    PlannedFiles.write(
        directory,
        TorchDistFiles.plan(
            model,
            null,
            Map.of("num_layers", 4L),
            TorchDistFiles.CommonState.of(Map.of()),
            TorchDistFiles.Options.DEFAULT),
        PlannedFiles.Options.DEFAULT);
    CorruptCheckpointException e =
        assertThrows(CorruptCheckpointException.class, () -> TorchDistCheckpoint.open(directory));
    assertTrue(e.found().contains("num_layers is 4"), e.getMessage());
  }
}
