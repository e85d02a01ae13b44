package io.github.pretrain4j.checkpoint.megatron;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.pretrain4j.checkpoint.CorruptCheckpointException;
import io.github.pretrain4j.checkpoint.DataType;
import io.github.pretrain4j.checkpoint.NumericConversion;
import io.github.pretrain4j.checkpoint.PickleObject;
import io.github.pretrain4j.checkpoint.PickleObject.PyBytes;
import io.github.pretrain4j.checkpoint.PickleObject.PyDict;
import io.github.pretrain4j.checkpoint.PickleObject.PyGlobal;
import io.github.pretrain4j.checkpoint.PickleObject.PyTuple;
import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.TensorReference;
import io.github.pretrain4j.checkpoint.TensorSource;
import io.github.pretrain4j.checkpoint.TorchFileReader;
import io.github.pretrain4j.checkpoint.TorchFileWriter;
import io.github.pretrain4j.model.MemoryTensors;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Optimizer state in whole checkpoints, over all ways of splitting a model. */
final class OptimizerCheckpointTest {
  private final Path directory;

  OptimizerCheckpointTest(@TempDir Path directory) {
    this.directory = directory;
  }

  /** Four layers, two of them with experts; tied or not. */
  private static List<TensorInfo> model(DataType type, boolean tied, boolean experts) {
    List<TensorInfo> infos = new ArrayList<>();
    infos.add(OptimizerFiles.tensor("embedding.word_embeddings.weight", type, 16, 8));
    for (int l = 0; l < 4; l++) {
      String layer = "decoder.layers." + l + ".";
      infos.add(OptimizerFiles.tensor(layer + "input_layernorm.weight", type, 8));
      infos.add(OptimizerFiles.tensor(layer + "self_attention.linear_proj.weight", type, 8, 8));
      infos.add(OptimizerFiles.tensor(layer + "self_attention.linear_qkv.weight", type, 16, 8));
      infos.add(OptimizerFiles.tensor(layer + "self_attention.linear_qkv.bias", type, 16));
      infos.add(OptimizerFiles.tensor(layer + "pre_mlp_layernorm.weight", type, 8));
      if (experts && l % 2 == 1) {
        infos.add(OptimizerFiles.tensor(layer + "mlp.router.weight", type, 4, 8));
        infos.add(OptimizerFiles.tensor(layer + "mlp.router.expert_bias", DataType.F32, 4));
        for (int e = 0; e < 4; e++) {
          String expert = layer + "mlp.experts.local_experts." + e + ".";
          infos.add(OptimizerFiles.tensor(expert + "linear_fc1.weight", type, 24, 8));
          infos.add(OptimizerFiles.tensor(expert + "linear_fc2.weight", type, 8, 12));
        }
      } else {
        infos.add(OptimizerFiles.tensor(layer + "mlp.linear_fc1.weight", type, 24, 8));
        infos.add(OptimizerFiles.tensor(layer + "mlp.linear_fc2.weight", type, 8, 12));
      }
    }
    infos.add(OptimizerFiles.tensor("decoder.final_layernorm.weight", type, 8));
    if (!tied) {
      infos.add(OptimizerFiles.tensor("output_layer.weight", type, 16, 8));
    }
    return infos;
  }

  /** A training in a state of random numbers. */
  private static final class Training {
    final MemoryTensors model = new MemoryTensors();
    final MemoryTensors optimizer = new MemoryTensors();
    final Map<String, Object> arguments = new LinkedHashMap<>();

    Training(DataType type, boolean tied, boolean experts) {
      Random random = new Random(7);
      for (TensorInfo info : model(type, tied, experts)) {
        byte[] master = random(random, info.elementCount());
        byte[] rounded = new byte[(int) info.byteCount()];
        NumericConversion.convert(
            DataType.F32, ByteBuffer.wrap(master), info.type(), ByteBuffer.wrap(rounded));
        model.put(info, rounded);
        if (info.name().endsWith("expert_bias")) {
          continue;
        }
        for (OptimizerTensor kind : OptimizerTensor.values()) {
          boolean isMaster = kind == OptimizerTensor.FP32_PARAM;
          if (!isMaster || type != DataType.F32) {
            optimizer.put(
                info.withType(DataType.F32).withName(kind.nameOf(info.name())),
                isMaster ? master : random(random, info.elementCount()));
          }
        }
      }
      arguments.put("swiglu", true);
      arguments.put("untie_embeddings_and_output_weights", !tied);
      if (experts) {
        arguments.put("num_experts", 4L);
        arguments.put("moe_layer_freq", List.of(0L, 1L, 0L, 1L));
      }
    }

    private static byte[] random(Random random, long count) {
      ByteBuffer bytes = ByteBuffer.allocate((int) count * 4).order(ByteOrder.LITTLE_ENDIAN);
      while (bytes.hasRemaining()) {
        bytes.putFloat((float) random.nextGaussian());
      }
      return bytes.array();
    }
  }

  private static Map<String, PickleObject> state(boolean stepOfParameters) {
    OptimizerSettings settings =
        new OptimizerSettings(
            11,
            stepOfParameters,
            List.of(
                OptimizerFiles.group(1, false, false, 0.1),
                OptimizerFiles.group(0, false, false, 0.1)),
            null);
    Map<String, PickleObject> state = new LinkedHashMap<>();
    state.put("optimizer", settings.toPickle());
    state.put("opt_param_scheduler", PyDict.of(Map.of("num_steps", PickleObject.of(11L))));
    return state;
  }

  static Stream<Arguments> layouts() {
    ParallelLayout virtual = ParallelLayout.of(2, 2).withVirtualPipeline(2);
    ParallelLayout uneven = ParallelLayout.of(1, 2).withLayersOfChunks(List.of(1, 3));
    ParallelLayout experts = ParallelLayout.of(2, 1).withExpertParallel(2);
    ParallelLayout both = ParallelLayout.of(2, 2).withExpertParallel(4).withExpertTensorParallel(1);
    return Stream.of(
        Arguments.of(virtual, LayerSpec.TRANSFORMER_ENGINE, ExpertLayout.SEQUENTIAL, false, false),
        Arguments.of(uneven, LayerSpec.LOCAL, ExpertLayout.SEQUENTIAL, true, false),
        Arguments.of(
            ParallelLayout.of(2, 2), LayerSpec.LEGACY, ExpertLayout.SEQUENTIAL, true, false),
        Arguments.of(experts, LayerSpec.TRANSFORMER_ENGINE, ExpertLayout.GROUPED, false, true),
        Arguments.of(both, LayerSpec.LOCAL, ExpertLayout.SEQUENTIAL, false, true),
        Arguments.of(
            experts, LayerSpec.TRANSFORMER_ENGINE, ExpertLayout.LEGACY_GROUPED, true, true));
  }

  private static Path write(
      Training training,
      Map<String, PickleObject> state,
      Path target,
      ParallelLayout layout,
      LayerSpec spec,
      ExpertLayout experts)
      throws IOException {
    return MegatronCheckpointWriter.create(target)
        .iteration(11)
        .arguments(training.arguments)
        .layout(layout)
        .layerSpec(spec)
        .expertLayout(experts)
        .optimizer(training.optimizer, state)
        .write(training.model);
  }

  private static void assertSame(MemoryTensors expected, TensorSource found) throws IOException {
    Map<String, TensorInfo> infos = new TreeMap<>();
    expected.tensors().forEach(info -> infos.put(info.name(), info));
    Map<String, TensorInfo> foundInfos = new TreeMap<>();
    found.tensors().forEach(info -> foundInfos.put(info.name(), info));
    assertEquals(infos, foundInfos);
    MemoryTensors all = MemoryTensors.copyOf(found);
    for (String name : infos.keySet()) {
      assertArrayEquals(expected.bytes(name), all.bytes(name), name);
    }
  }

  @ParameterizedTest
  @MethodSource("layouts")
  void readsBackWhatItWrote(
      ParallelLayout layout, LayerSpec spec, ExpertLayout expertLayout, boolean tied, boolean moe)
      throws IOException {
    for (DataType type : moe ? List.of(DataType.BF16) : List.of(DataType.F32, DataType.BF16)) {
      Training training = new Training(type, tied, moe);
      Path target = directory.resolve(type.toString());
      write(training, state(moe), target, layout, spec, expertLayout);
      try (MegatronCheckpoint checkpoint = MegatronCheckpoint.open(target)) {
        assertSame(training.model, checkpoint.fullTensors());
        assertSame(training.optimizer, Objects.requireNonNull(checkpoint.optimizerTensors()));
        OptimizerSettings settings =
            OptimizerSettings.of(Objects.requireNonNull(checkpoint.commonState().get("optimizer")));
        assertEquals(11, settings.step());
        assertEquals(moe, settings.stepOfParameters());
      }
    }
  }

  /** As the distributed optimizer saves it, where the rest is gathered on one expert rank. */
  @ParameterizedTest
  @MethodSource("layouts")
  void readsFlatBuffersOfEveryRank(
      ParallelLayout layout, LayerSpec spec, ExpertLayout expertLayout, boolean tied, boolean moe)
      throws IOException {
    Training training = new Training(DataType.BF16, tied, moe);
    Path target = directory.resolve("flat");
    Path iteration = write(training, state(false), target, layout, spec, expertLayout);
    try (Stream<Path> ranks = Files.list(iteration)) {
      for (Path rank : ranks.toList()) {
        flatten(rank, layout);
      }
    }
    try (MegatronCheckpoint checkpoint = MegatronCheckpoint.open(target)) {
      assertSame(training.optimizer, Objects.requireNonNull(checkpoint.optimizerTensors()));
    }
  }

  /** Puts one rank's state into {@code distrib_optim.pt}. */
  private static void flatten(Path rank, ParallelLayout layout) throws IOException {
    Path file = rank.resolve("model_optim_rng.pt");
    Map<String, byte[]> data = new HashMap<>();
    PyDict root;
    PickleObject flat;
    try (TorchFileReader reader = TorchFileReader.open(file)) {
      root = (PyDict) reader.root();
      List<PyDict> chunks = StoredModel.chunks(root);
      OptimizerShard shard =
          Objects.requireNonNull(OptimizerShard.read(file, reader, chunks, null));
      RankModel model = RankModel.of(chunks, Map.of());
      boolean apart =
          layout.expertModelParallelSize() > 1
              && model.parameters().stream().anyMatch(OptimizerParameter::isExpert);
      List<PickleObject> optimizers = new ArrayList<>();
      for (boolean experts : apart ? new boolean[] {false, true} : new boolean[] {false}) {
        boolean elsewhere = apart && !experts && !isFirst(layout, rank);
        optimizers.add(
            elsewhere ? PickleObject.none() : flat(reader, shard, model, apart, experts, data));
      }
      flat = apart ? OptimizerFiles.list(optimizers) : optimizers.get(0);
      for (Map.Entry<PickleObject, PickleObject> entry : root.entries().entrySet()) {
        collect(entry.getValue(), reader, data);
      }
    }
    PickleObject settings =
        PyDict.of(
            Map.of(
                "optimizer",
                PyDict.of(
                    Map.of(
                        "param_groups",
                        OptimizerFiles.list(
                            List.of(
                                OptimizerFiles.with(
                                    OptimizerFiles.group(1, false, false, 0.1),
                                    PickleObject.of("step"),
                                    PickleObject.of(11L))))))));
    Files.delete(file);
    TorchFileWriter.write(
        file,
        OptimizerFiles.with(root, PickleObject.of("optimizer"), settings),
        (tensor, out) ->
            out.write(ByteBuffer.wrap(Objects.requireNonNull(data.get(tensor.name())))));
    OptimizerFiles.writeDistributed(rank.resolve("distrib_optim.pt"), flat, data);
  }

  /** Whether no other rank with the same part of all but the experts comes before. */
  private static boolean isFirst(ParallelLayout layout, Path path) {
    Rank rank = layout.rankOf(String.valueOf(path.getFileName()));
    return layout.ranks().stream()
        .filter(r -> r.tensor() == rank.tensor() && r.pipeline() == rank.pipeline())
        .allMatch(r -> r.expert() >= rank.expert());
  }

  private static PyDict flat(
      TorchFileReader reader,
      OptimizerShard shard,
      RankModel model,
      boolean apart,
      boolean experts,
      Map<String, byte[]> data)
      throws IOException {
    Map<PickleObject, PickleObject> buffers = new LinkedHashMap<>();
    buffers.put(PickleObject.of("buckets_coalesced"), PickleObject.of(true));
    for (int chunk = 0; chunk < model.chunks(); chunk++) {
      List<OptimizerParameter> parameters = new ArrayList<>();
      for (OptimizerParameter parameter : model.parameters()) {
        if (parameter.chunk() == chunk && (!apart || parameter.isExpert() == experts)) {
          parameters.add(parameter);
        }
      }
      if (parameters.isEmpty()) {
        continue;
      }
      Collections.reverse(parameters);
      Map<String, PickleObject> tensors = new LinkedHashMap<>();
      for (OptimizerTensor kind : OptimizerTensor.values()) {
        ByteBuffer buffer = ByteBuffer.allocate(1 << 18);
        for (OptimizerParameter parameter : parameters) {
          PyDict own = Objects.requireNonNull(shard.tensors().get(kind)).get(chunk);
          buffer.position((buffer.position() + 255) / 256 * 256);
          buffer.put(OptimizerFiles.read(reader, find(own, parameter.key())));
        }
        String key = kind == OptimizerTensor.FP32_PARAM ? "param" : kind.key();
        String storage = experts + "/" + chunk + "/" + key;
        data.put(storage, Arrays.copyOf(buffer.array(), buffer.position()));
        tensors.put(
            key,
            TensorReference.contiguous(storage, DataType.F32, List.of(buffer.position() / 4L)));
      }
      buffers.put(
          PickleObject.of(buffers.size() - 1L),
          new PyDict(
              false,
              Map.of(
                  PyTuple.of(PyGlobal.of(DataType.BF16), PyGlobal.of(DataType.F32)),
                  PyDict.of(tensors))));
    }
    return new PyDict(false, buffers);
  }

  private static TensorReference find(PyDict dict, String key) {
    for (Map.Entry<String, PickleObject> entry : dict.stringEntries().entrySet()) {
      if (entry.getKey().equals(key)) {
        return (TensorReference) entry.getValue();
      }
      if (entry.getValue() instanceof PyDict nested && key.startsWith(entry.getKey() + ".")) {
        return find(nested, key.substring(entry.getKey().length() + 1));
      }
    }
    throw new IllegalArgumentException("no " + key);
  }

  private static void collect(PickleObject value, TorchFileReader reader, Map<String, byte[]> data)
      throws IOException {
    if (value instanceof TensorReference tensor) {
      data.put(tensor.storage().key(), OptimizerFiles.read(reader, tensor));
    } else if (value instanceof PyDict dict) {
      for (PickleObject item : dict.entries().values()) {
        collect(item, reader, data);
      }
    }
  }

  @Test
  void keepsRandomStatesForTheSameRanksOnly() throws IOException {
    Training training = new Training(DataType.F32, false, false);
    Map<String, PickleObject> state = state(true);
    PickleObject random =
        OptimizerFiles.list(
            List.of(PyDict.of(Map.of("torch_rng_state", PyBytes.of(new byte[] {1, 2, 3})))));
    state.put("rng_state", PyDict.of(Map.of("mp_rank_00", random, "mp_rank_01", random)));
    LayerSpec spec = LayerSpec.LOCAL;
    ExpertLayout experts = ExpertLayout.SEQUENTIAL;
    Path same = directory.resolve("same");
    write(training, state, same, ParallelLayout.of(2, 1), spec, experts);
    try (MegatronCheckpoint checkpoint = MegatronCheckpoint.open(same)) {
      assertEquals(state.get("rng_state"), checkpoint.commonState().get("rng_state"));
      assertEquals(
          state.get("opt_param_scheduler"), checkpoint.commonState().get("opt_param_scheduler"));
    }
    Path other = directory.resolve("other");
    write(training, state, other, ParallelLayout.of(1, 2), spec, experts);
    try (MegatronCheckpoint checkpoint = MegatronCheckpoint.open(other)) {
      assertNull(checkpoint.commonState().get("rng_state"));
    }
  }

  @Test
  void makesFp32CopiesWhereThereAreNone() throws IOException {
    Training training = new Training(DataType.BF16, false, false);
    MemoryTensors expected = MemoryTensors.copyOf(training.optimizer);
    for (TensorInfo info : training.model.tensors()) {
      String master = OptimizerTensor.FP32_PARAM.nameOf(info.name());
      ByteBuffer widened = ByteBuffer.allocate((int) info.elementCount() * 4);
      NumericConversion.convert(
          info.type(), ByteBuffer.wrap(training.model.bytes(info.name())), DataType.F32, widened);
      expected.put(expected.get(master), widened.array());
      training.optimizer.remove(master);
    }
    Path target = directory.resolve("widened");
    write(
        training,
        state(true),
        target,
        ParallelLayout.of(2, 2),
        LayerSpec.LOCAL,
        ExpertLayout.SEQUENTIAL);
    try (MegatronCheckpoint checkpoint = MegatronCheckpoint.open(target)) {
      assertSame(expected, Objects.requireNonNull(checkpoint.optimizerTensors()));
    }
  }

  @Test
  void showsTheFp32CopiesAsTheModel() throws IOException {
    Training training = new Training(DataType.BF16, false, true);
    TensorSource masters = OptimizerTensors.masters(training.model, training.optimizer);
    MemoryTensors copy = MemoryTensors.copyOf(masters);
    String name = "decoder.layers.1.mlp.router.weight";
    assertEquals(DataType.F32, masters.get(name).type());
    assertArrayEquals(
        training.optimizer.bytes(OptimizerTensor.FP32_PARAM.nameOf(name)), copy.bytes(name));
    String bias = "decoder.layers.1.mlp.router.expert_bias";
    assertArrayEquals(training.model.bytes(bias), copy.bytes(bias));
  }

  @Test
  void listsStateThatDoesNotFitTheModelBeforeWriting() {
    Training training = new Training(DataType.F32, false, false);
    String norm = "decoder.final_layernorm.weight";
    training.optimizer.remove(OptimizerTensor.EXP_AVG.nameOf(norm));
    TensorInfo wrong =
        OptimizerFiles.tensor(OptimizerTensor.EXP_AVG_SQ.nameOf(norm), DataType.F32, 9);
    training.optimizer.put(wrong, new byte[36]);
    TensorInfo stranger =
        OptimizerFiles.tensor(OptimizerTensor.EXP_AVG.nameOf("stranger"), DataType.F32, 1);
    training.optimizer.put(stranger, new byte[4]);
    Path target = directory.resolve("none");
    IllegalArgumentException e =
        assertThrows(
            IllegalArgumentException.class,
            () ->
                write(
                    training,
                    state(true),
                    target,
                    ParallelLayout.of(1, 1),
                    LayerSpec.LOCAL,
                    ExpertLayout.SEQUENTIAL));
    String message = String.valueOf(e.getMessage());
    assertTrue(message.contains("has no exp_avg of " + norm), message);
    assertTrue(message.contains("is [9], the parameter [8]"), message);
    assertTrue(message.contains("stranger belongs to no parameter"), message);
    assertFalse(Files.exists(target));
  }

  @Test
  void refusesRanksWithoutTheStateThatOthersHave() throws IOException {
    Training training = new Training(DataType.BF16, false, false);
    Path target = directory.resolve("missing");
    Path iteration =
        write(
            training,
            state(false),
            target,
            ParallelLayout.of(2, 1),
            LayerSpec.LOCAL,
            ExpertLayout.SEQUENTIAL);
    flatten(iteration.resolve("mp_rank_01"), ParallelLayout.of(2, 1));
    Files.delete(iteration.resolve("mp_rank_01/distrib_optim.pt"));
    try (MegatronCheckpoint checkpoint = MegatronCheckpoint.open(target)) {
      CorruptCheckpointException e =
          assertThrows(CorruptCheckpointException.class, checkpoint::optimizerTensors);
      assertTrue(String.valueOf(e.getMessage()).contains("distrib_optim.pt"), e.getMessage());
    }
  }
}
