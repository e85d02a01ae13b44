package io.github.pretrain4j.checkpoint.megatron;

import static io.github.pretrain4j.checkpoint.megatron.OptimizerFiles.tensor;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.pretrain4j.checkpoint.CorruptCheckpointException;
import io.github.pretrain4j.checkpoint.DataType;
import io.github.pretrain4j.checkpoint.PickleObject;
import io.github.pretrain4j.checkpoint.PickleObject.PyDict;
import io.github.pretrain4j.checkpoint.PickleObject.PyList;
import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.TensorReference;
import io.github.pretrain4j.checkpoint.TorchFileReader;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.Set;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Numbered states: the form without the distributed optimizer. */
final class OptimizerShardTest {
  private static final Set<OptimizerTensor> ALL = EnumSet.allOf(OptimizerTensor.class);

  private final Path directory;

  OptimizerShardTest(@TempDir Path directory) {
    this.directory = directory;
  }

  static LongStream seeds() {
    Long replay = Long.getLong("test.seed");
    return replay == null ? LongStream.range(0, 20) : LongStream.of(replay);
  }

  @ParameterizedTest(name = "-Dtest.seed={0}")
  @MethodSource("seeds")
  void readsBackWhatItLaidOut(long seed) throws IOException {
    Random random = new Random(seed);
    DataType type = List.of(DataType.F32, DataType.BF16, DataType.F16).get(random.nextInt(3));
    boolean experts = random.nextBoolean();
    boolean expertsApart = experts && random.nextBoolean();
    OptimizerFiles files = new OptimizerFiles(model(random, type, experts), seed);
    boolean stepOfParameters = random.nextBoolean();
    List<PyDict> groups = groups(random.nextBoolean(), expertsApart);
    @Nullable PyDict scaler = type == DataType.F16 ? scaler() : null;
    OptimizerSettings settings = new OptimizerSettings(7, stepOfParameters, groups, scaler);
    Set<OptimizerTensor> kinds =
        type == DataType.F32
            ? EnumSet.of(OptimizerTensor.EXP_AVG, OptimizerTensor.EXP_AVG_SQ)
            : ALL;
    OptimizerShardPlan plan = OptimizerShardPlan.of(settings, files.chunks, kinds, expertsApart);
    Path file = directory.resolve("model_optim_rng.pt");
    files.write(file, plan.entry(), plan.slots());

    try (TorchFileReader reader = TorchFileReader.open(file)) {
      OptimizerShard shard = read(file, reader, files.chunks.size());
      assertEquals(settings.step(), shard.settings().step());
      assertEquals(stepOfParameters, shard.settings().stepOfParameters());
      assertEquals(scaler, shard.settings().gradScaler());
      assertEquals(expertsApart, plan.entry() instanceof PyList);
      assertEquals(kinds, shard.tensors().keySet());
      assertTrue(settings.groups().containsAll(shard.settings().groups()));
      for (OptimizerParameter parameter : files.parameters()) {
        for (OptimizerTensor kind : kinds) {
          TensorReference found = tensorOf(shard, kind, parameter);
          if (kind == OptimizerTensor.FP32_PARAM && !parameter.isHalf()) {
            assertNull(found, parameter.key());
          } else {
            assertArrayEquals(
                files.bytes(kind, parameter),
                OptimizerFiles.read(reader, Objects.requireNonNull(found)),
                kind + " " + parameter.key());
          }
        }
      }
    }
  }

  private static OptimizerShard read(Path file, TorchFileReader reader, int chunks)
      throws IOException {
    PyDict root = (PyDict) reader.root();
    List<PyDict> models = new ArrayList<>();
    for (int c = 0; c < chunks; c++) {
      models.add((PyDict) Objects.requireNonNull(root.get(chunks == 1 ? "model" : "model" + c)));
    }
    return Objects.requireNonNull(OptimizerShard.read(file, reader, models, null));
  }

  private static @Nullable TensorReference tensorOf(
      OptimizerShard shard, OptimizerTensor kind, OptimizerParameter parameter) {
    PickleObject found =
        Objects.requireNonNull(shard.tensors().get(kind))
            .get(parameter.chunk())
            .get(parameter.key());
    return (TensorReference) found;
  }

  private static List<Map<String, TensorInfo>> model(
      Random random, DataType type, boolean experts) {
    List<Map<String, TensorInfo>> chunks = new ArrayList<>();
    int count = 1 + random.nextInt(3);
    for (int c = 0; c < count; c++) {
      List<TensorInfo> chunk = new ArrayList<>();
      if (c == 0) {
        chunk.add(tensor("embedding.word_embeddings.weight", type, 10, 4));
      }
      int layers = 1 + random.nextInt(3);
      for (int l = 0; l < layers; l++) {
        String layer = "decoder.layers." + l + ".";
        chunk.add(tensor(layer + "input_layernorm.weight", type, 4));
        chunk.add(tensor(layer + "self_attention.linear_proj.weight", type, 4, 4));
        chunk.add(tensor(layer + "self_attention.linear_proj._extra_state", type));
        chunk.add(tensor(layer + "self_attention.linear_qkv.weight", type, 12, 4));
        chunk.add(tensor(layer + "self_attention.linear_qkv.bias", type, 12));
        chunk.add(tensor(layer + "self_attention.q_layernorm.weight", type, 2));
        if (experts) {
          chunk.add(tensor(layer + "mlp.router.weight", type, 2, 4));
          chunk.add(tensor(layer + "mlp.router.expert_bias", DataType.F32, 2));
          for (int e = 0; e < 2; e++) {
            String expert = layer + "mlp.experts.local_experts." + e + ".";
            chunk.add(tensor(expert + "linear_fc1.weight", type, 6, 4));
            chunk.add(tensor(expert + "linear_fc2.weight", type, 4, 3));
          }
          chunk.add(tensor(layer + "mlp.shared_experts.linear_fc1.weight", type, 6, 4));
        } else {
          chunk.add(tensor(layer + "mlp.linear_fc1.weight", type, 6, 4));
          chunk.add(tensor(layer + "mlp.linear_fc2.weight", type, 4, 3));
        }
      }
      if (c == count - 1) {
        chunk.add(tensor("decoder.final_layernorm.weight", DataType.F32, 4));
        chunk.add(tensor("output_layer.weight", type, 10, 4));
      }
      chunks.add(OptimizerFiles.chunk(chunk.toArray(TensorInfo[]::new)));
    }
    return chunks;
  }

  private static List<PyDict> groups(boolean ownLearningRate, boolean experts) {
    List<PyDict> groups = new ArrayList<>();
    groups.add(OptimizerFiles.group(1, false, false, 0.1));
    groups.add(OptimizerFiles.group(0, false, false, 0.1));
    if (ownLearningRate) {
      groups.add(OptimizerFiles.group(1, true, false, 0.3));
    }
    if (experts) {
      groups.add(OptimizerFiles.group(1, false, true, 0.2));
    }
    return groups;
  }

  private static PyDict scaler() {
    Map<String, PickleObject> scaler = new LinkedHashMap<>();
    scaler.put("scale", PickleObject.of(65536.0));
    scaler.put("growth_tracker", PickleObject.of(3L));
    scaler.put("hysteresis_tracker", PickleObject.of(2L));
    return PyDict.of(scaler);
  }

  @Test
  void hasNoMomentsBeforeTheFirstUpdate() throws IOException {
    OptimizerFiles files = small(DataType.BF16);
    OptimizerSettings settings = new OptimizerSettings(0, true, groups(false, false), null);
    OptimizerShardPlan plan =
        OptimizerShardPlan.of(
            settings, files.chunks, EnumSet.of(OptimizerTensor.FP32_PARAM), false);
    OptimizerShard shard = shard(files, plan.entry(), plan.slots());
    assertEquals(Set.of(OptimizerTensor.FP32_PARAM), shard.tensors().keySet());
    assertEquals(0, shard.settings().step());
  }

  @Test
  void givesExpertsTheGroupsOfTheRestWhenTheyAreDealtOut() {
    OptimizerFiles files = new OptimizerFiles(model(new Random(3), DataType.F32, true), 3);
    OptimizerSettings settings = new OptimizerSettings(7, true, groups(false, false), null);
    PickleObject apart = OptimizerShardPlan.of(settings, files.chunks, ALL, true).entry();
    assertTrue(
        apart instanceof PyList list
            && list.items().get(1) instanceof PyDict experts
            && experts.get("param_groups") instanceof PyList groups
            && groups.items().size() == 1
            && groups.items().get(0) instanceof PyDict group
            && PickleObject.of(true).equals(group.get("is_expert_parallel"))
            && PickleObject.of(0.1).equals(group.get("lr")));
  }

  @Test
  void listsParametersWithoutAGroup() {
    OptimizerFiles files = small(DataType.F32);
    OptimizerSettings settings =
        new OptimizerSettings(1, true, List.of(OptimizerFiles.group(1, false, false, 0.1)), null);
    IllegalArgumentException e =
        assertThrows(
            IllegalArgumentException.class,
            () -> OptimizerShardPlan.of(settings, files.chunks, ALL, false));
    assertEquals("the optimizer has no parameter group for b, norm.weight", e.getMessage());
  }

  @Test
  void keepsItsSettingsAsAnEntry() {
    OptimizerSettings settings = new OptimizerSettings(5, false, groups(true, true), scaler());
    assertEquals(settings, OptimizerSettings.of(settings.toPickle()));
    assertThrows(
        IllegalArgumentException.class,
        () ->
            OptimizerSettings.of(
                OptimizerFiles.with(settings.toPickle(), PickleObject.of("step"), null)));
  }

  private static OptimizerFiles small(DataType type) {
    return new OptimizerFiles(
        List.of(
            OptimizerFiles.chunk(
                tensor("a", type, 3, 2),
                tensor("b", type, 5),
                tensor("c", type, 3, 2),
                tensor("d", type, 4, 2),
                tensor("norm.weight", type, 5))),
        1);
  }

  private OptimizerShard shard(OptimizerFiles files, PickleObject entry, List<StateSlot> slots)
      throws IOException {
    Path file = directory.resolve("damaged.pt");
    files.write(file, entry, slots);
    try (TorchFileReader reader = TorchFileReader.open(file)) {
      return read(file, reader, files.chunks.size());
    }
  }

  private String refusal(OptimizerFiles files, PickleObject entry, List<StateSlot> slots) {
    return String.valueOf(
        assertThrows(CorruptCheckpointException.class, () -> shard(files, entry, slots))
            .getMessage());
  }

  private static OptimizerShardPlan plan(OptimizerFiles files) {
    OptimizerSettings settings = new OptimizerSettings(7, true, groups(false, false), null);
    return OptimizerShardPlan.of(settings, files.chunks, ALL, false);
  }

  private static PyDict dict(PyDict outer, String key) {
    return (PyDict) Objects.requireNonNull(outer.get(key));
  }

  @Test
  void refusesStatesThatAreMissingOrTooMany() {
    OptimizerFiles files = small(DataType.F32);
    OptimizerShardPlan plan = plan(files);
    PyDict entry = (PyDict) plan.entry();
    PyDict states = dict(entry, "state");
    PyDict without = OptimizerFiles.with(states, PickleObject.of(1L), null);
    assertTrue(
        refusal(files, OptimizerFiles.with(entry, PickleObject.of("state"), without), plan.slots())
            .contains("optimizer.state of c"));
    PyDict more =
        OptimizerFiles.with(
            states,
            PickleObject.of(9L),
            Objects.requireNonNull(states.entries().get(PickleObject.of(1L))));
    assertTrue(
        refusal(files, OptimizerFiles.with(entry, PickleObject.of("state"), more), plan.slots())
            .contains("expected 5 entries, found 6"));
  }

  @Test
  void refusesStatesOfOtherShapes() {
    OptimizerFiles files = small(DataType.F32);
    OptimizerShardPlan plan = plan(files);
    PyDict entry = (PyDict) plan.entry();
    PyDict states = dict(entry, "state");
    PyDict swapped =
        OptimizerFiles.with(
            OptimizerFiles.with(
                states,
                PickleObject.of(1L),
                Objects.requireNonNull(states.entries().get(PickleObject.of(2L)))),
            PickleObject.of(2L),
            Objects.requireNonNull(states.entries().get(PickleObject.of(1L))));
    assertTrue(
        refusal(files, OptimizerFiles.with(entry, PickleObject.of("state"), swapped), plan.slots())
            .contains("exp_avg of c"));
  }

  @Test
  void refusesGroupsThatDoNotFitTheModel() {
    OptimizerFiles files = small(DataType.F32);
    OptimizerShardPlan plan = plan(files);
    PyDict entry = (PyDict) plan.entry();
    List<PickleObject> groups =
        ((PyList) Objects.requireNonNull(entry.get("param_groups"))).items();
    String one =
        refusal(
            files,
            OptimizerFiles.with(
                entry, PickleObject.of("param_groups"), OptimizerFiles.list(groups.subList(0, 1))),
            plan.slots());
    assertTrue(one.contains("expected 3 entries, found 5"), one);
    String twice =
        refusal(
            files,
            OptimizerFiles.with(
                entry,
                PickleObject.of("param_groups"),
                OptimizerFiles.list(List.of(groups.get(0), groups.get(0)))),
            plan.slots());
    assertTrue(twice.contains("groups that differ"), twice);
    PyDict fewer =
        OptimizerFiles.with(
            (PyDict) groups.get(0),
            PickleObject.of("params"),
            OptimizerFiles.list(List.of(PickleObject.of(0L))));
    String short1 =
        refusal(
            files,
            OptimizerFiles.with(
                entry,
                PickleObject.of("param_groups"),
                OptimizerFiles.list(List.of(fewer, groups.get(1)))),
            plan.slots());
    assertTrue(short1.contains("expected 3 parameters: a, c, d, found 1"), short1);
  }

  /** Two parameters of one shape: only the values tell that their copies are swapped. */
  @Test
  void refusesFp32CopiesOfOtherParameters() {
    OptimizerFiles files = small(DataType.BF16);
    OptimizerShardPlan plan = plan(files);
    List<StateSlot> swapped = new ArrayList<>();
    for (StateSlot slot : plan.slots()) {
      String other = slot.parameter().equals("a") ? "c" : slot.parameter().equals("c") ? "a" : "";
      swapped.add(
          slot.kind() == OptimizerTensor.FP32_PARAM && !other.isEmpty()
              ? new StateSlot(slot.tensor(), slot.kind(), slot.chunk(), other, null)
              : slot);
    }
    assertTrue(refusal(files, plan.entry(), swapped).contains("element 0 of a is"));
  }

  @Test
  void refusesParametersAtDifferentSteps() {
    OptimizerFiles files = small(DataType.F32);
    OptimizerShardPlan plan = plan(files);
    List<StateSlot> slots = new ArrayList<>(plan.slots());
    for (int i = 0; i < slots.size(); i++) {
      if (slots.get(i).kind() == null) {
        slots.set(i, StateSlot.of(slots.get(i).tensor(), 8));
        break;
      }
    }
    assertTrue(
        refusal(files, plan.entry(), slots)
            .contains("expected the same for all parameters, found [7, 8]"));
  }

  @Test
  void givesEveryStepAStorageOfItsOwn() {
    OptimizerShardPlan plan = plan(small(DataType.F32));
    long steps = plan.slots().stream().filter(slot -> slot.kind() == null).count();
    long keys = plan.slots().stream().map(slot -> slot.tensor().name()).distinct().count();
    assertEquals(5, steps);
    assertEquals(plan.slots().size(), keys);
    assertFalse(plan.slots().isEmpty());
  }
}
