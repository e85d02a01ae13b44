package io.github.pretrain4j.convert;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.pretrain4j.checkpoint.PickleObject;
import io.github.pretrain4j.checkpoint.PickleObject.PyBytes;
import io.github.pretrain4j.checkpoint.PickleObject.PyDict;
import io.github.pretrain4j.checkpoint.PickleObject.PyList;
import io.github.pretrain4j.checkpoint.PickleObject.PyTuple;
import io.github.pretrain4j.checkpoint.SafetensorsReader;
import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.TensorReference;
import io.github.pretrain4j.checkpoint.TorchFileReader;
import io.github.pretrain4j.checkpoint.megatron.CheckpointFormat;
import io.github.pretrain4j.checkpoint.megatron.MegatronCheckpoint;
import io.github.pretrain4j.checkpoint.megatron.MegatronCheckpointWriter;
import io.github.pretrain4j.checkpoint.megatron.OptimizerSettings;
import io.github.pretrain4j.checkpoint.megatron.OptimizerTensor;
import io.github.pretrain4j.checkpoint.megatron.ParallelLayout;
import io.github.pretrain4j.model.HuggingFaceConfig;
import io.github.pretrain4j.model.MemoryTensors;
import io.github.pretrain4j.model.ModelFamilies;
import io.github.pretrain4j.model.WeightMapping;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;

/**
 * Optimizer state that Megatron-LM core_v0.12.2 saved: one model, trained on the same batches in
 * several layouts.
 */
final class OptimizerGoldenTest {
  private static final String SINGLE = "llama_tp1pp1/torch_fp32";
  private static final String DISTRIBUTED = "llama_tp2pp2/torch_dist_fp32";
  private static final String HALF = "llama_tp2pp1/torch_bf16";
  private static final String HALF_FLAT = "llama_tp1pp1_dp2_distopt/torch_bf16";

  /** After 20 steps in fp32: sums in another order. */
  private static final double FP32_TOLERANCE = 1e-5;

  /** After 5 steps in bf16, whose sums have 8 bits: two ranks' batches against one's. */
  private static final double BF16_TOLERANCE = 0.05;

  private final Path directory;

  OptimizerGoldenTest(@TempDir Path directory) {
    this.directory = directory;
  }

  private interface Body {
    void run(Path golden) throws IOException;
  }

  private static List<DynamicTest> tests(String name, Body body) {
    List<DynamicTest> tests = new ArrayList<>();
    for (Path root : GoldenModels.shared()) {
      Executable run = () -> body.run(root.resolve("megatron_train"));
      tests.add(DynamicTest.dynamicTest(name, run));
    }
    return tests;
  }

  @TestFactory
  List<DynamicTest> findsTheSameMomentsInTorchAndDistributedCheckpoints() {
    return tests(
        "fp32",
        golden ->
            compare(
                tensors(golden.resolve(SINGLE)),
                tensors(golden.resolve(DISTRIBUTED)),
                FP32_TOLERANCE));
  }

  @TestFactory
  List<DynamicTest> findsTheSameStateInFlatBuffers() {
    return tests(
        "bf16",
        golden ->
            compare(
                tensors(golden.resolve(HALF)), tensors(golden.resolve(HALF_FLAT)), BF16_TOLERANCE));
  }

  @TestFactory
  List<DynamicTest> findsTheMomentsOfTransformers() {
    return tests(
        "fp32",
        golden -> {
          Path model = golden.resolve("../hf/llama");
          HuggingFaceConfig config = HuggingFaceConfig.read(model.resolve("safetensors"));
          WeightMapping mapping =
              ModelFamilies.installed()
                  .get("llama")
                  .weights(ModelFamilies.installed().config(config));
          MemoryTensors all = tensors(golden.resolve(SINGLE));
          MemoryTensors mapped = new MemoryTensors();
          for (OptimizerTensor kind :
              List.of(OptimizerTensor.EXP_AVG, OptimizerTensor.EXP_AVG_SQ)) {
            MemoryTensors own = new MemoryTensors();
            for (TensorInfo info : all.tensors()) {
              kind.parameterOf(info.name())
                  .ifPresent(name -> own.put(info.withName(name), all.bytes(info.name())));
            }
            MemoryTensors named = MemoryTensors.copyOf(mapping.toHuggingFace(own));
            String prefix = kind.name().toLowerCase(Locale.ROOT) + ".";
            for (TensorInfo info : named.tensors()) {
              mapped.put(info.withName(prefix + info.name()), named.bytes(info.name()));
            }
          }
          try (SafetensorsReader expected =
              SafetensorsReader.open(model.resolve("train_adam_step20.safetensors"))) {
            compare(MemoryTensors.copyOf(expected), mapped, FP32_TOLERANCE);
          }
        });
  }

  @TestFactory
  List<DynamicTest> carriesFp32StateThroughEveryForm() {
    return tests("fp32", golden -> carry(golden.resolve(SINGLE), 2));
  }

  @TestFactory
  List<DynamicTest> carriesBf16StateThroughEveryForm() {
    return tests("bf16", golden -> carry(golden.resolve(HALF_FLAT), 3));
  }

  private void carry(Path first, int hops) throws IOException {
    List<ParallelLayout> layouts =
        List.of(
            ParallelLayout.of(2, 2).withVirtualPipeline(2),
            ParallelLayout.of(1, 1),
            ParallelLayout.of(1, 2));
    MemoryTensors expected = tensors(first);
    Path at = first;
    for (int hop = 0; hop < hops; hop++) {
      Path next = directory.resolve("hop" + hop);
      CheckpointFormat format = hop % 2 == 0 ? CheckpointFormat.TORCH : CheckpointFormat.TORCH_DIST;
      try (MegatronCheckpoint source = MegatronCheckpoint.open(at)) {
        write(source, next, layouts.get(hop), format);
        try (MegatronCheckpoint written = MegatronCheckpoint.open(next)) {
          assertEquals(format, written.format());
          MegatronGoldenTest.assertSame(
              expected, Objects.requireNonNull(written.optimizerTensors()));
          assertEquals(settings(source), settings(written));
          for (String key :
              List.of("opt_param_scheduler", "num_floating_point_operations_so_far")) {
            assertEquals(source.commonState().get(key), written.commonState().get(key), key);
          }
        }
      }
      at = next;
    }
  }

  /** Not only do the values come back: the file has the very entries that Megatron's has. */
  @TestFactory
  List<DynamicTest> writesTheEntriesThatMegatronWrote() {
    return tests(
        "bf16",
        golden -> {
          Path original = golden.resolve(HALF);
          Path copy = directory.resolve("copy");
          try (MegatronCheckpoint source = MegatronCheckpoint.open(original)) {
            write(source, copy, ParallelLayout.of(2, 1), CheckpointFormat.TORCH);
          }
          for (String rank : List.of("mp_rank_00", "mp_rank_01")) {
            String file = "iter_0000005/" + rank + "/model_optim_rng.pt";
            Map<String, PickleObject> expected = entries(original.resolve(file));
            Map<String, PickleObject> found = entries(copy.resolve(file));
            for (String key :
                List.of("optimizer", "opt_param_scheduler", "rng_state", "iteration")) {
              assertEquals(expected.get(key), found.get(key), key);
            }
          }
        });
  }

  private static void write(
      MegatronCheckpoint source, Path target, ParallelLayout layout, CheckpointFormat format)
      throws IOException {
    MegatronCheckpointWriter.create(target)
        .iteration(source.iteration())
        .arguments(source.arguments())
        .layout(layout)
        .format(format)
        .layerSpec(source.layerSpec())
        .optimizer(Objects.requireNonNull(source.optimizerTensors()), source.commonState())
        .write(source.fullTensors());
  }

  private static OptimizerSettings settings(MegatronCheckpoint checkpoint) throws IOException {
    return OptimizerSettings.of(
        Objects.requireNonNull(checkpoint.commonState().get(OptimizerSettings.KEY)));
  }

  private static MemoryTensors tensors(Path directory) throws IOException {
    try (MegatronCheckpoint checkpoint = MegatronCheckpoint.open(directory)) {
      return MemoryTensors.copyOf(Objects.requireNonNull(checkpoint.optimizerTensors()));
    }
  }

  private static void compare(MemoryTensors expected, MemoryTensors found, double tolerance) {
    Map<String, TensorInfo> expectedInfos = new TreeMap<>();
    expected.tensors().forEach(info -> expectedInfos.put(info.name(), info));
    Map<String, TensorInfo> infos = new TreeMap<>();
    found.tensors().forEach(info -> infos.put(info.name(), info));
    assertEquals(expectedInfos, infos);
    for (String name : infos.keySet()) {
      double difference = difference(expected.bytes(name), found.bytes(name));
      assertTrue(difference <= tolerance, () -> name + " differs by " + difference);
    }
  }

  /** The largest difference, relative to the largest element. */
  private static double difference(byte[] expected, byte[] found) {
    FloatBuffer one = floats(expected);
    FloatBuffer two = floats(found);
    double largest = 0;
    double difference = 0;
    for (int i = 0; i < one.remaining(); i++) {
      largest = Math.max(largest, Math.abs(one.get(i)));
      difference = Math.max(difference, Math.abs(one.get(i) - two.get(i)));
    }
    return difference / largest;
  }

  private static FloatBuffer floats(byte[] bytes) {
    return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer();
  }

  private static Map<String, PickleObject> entries(Path file) throws IOException {
    try (TorchFileReader reader = TorchFileReader.open(file)) {
      Map<String, PickleObject> entries = new LinkedHashMap<>();
      for (Map.Entry<String, PickleObject> entry :
          ((PyDict) reader.root()).stringEntries().entrySet()) {
        entries.put(entry.getKey(), resolved(entry.getValue(), reader));
      }
      return entries;
    }
  }

  /** The tree with type, shape and data in the place of tensors. */
  private static PickleObject resolved(PickleObject value, TorchFileReader reader)
      throws IOException {
    if (value instanceof TensorReference tensor) {
      ByteBuffer bytes = ByteBuffer.allocate((int) tensor.byteCount());
      reader.read(tensor, 0, bytes);
      return PyTuple.of(
          PickleObject.of(tensor.type() + " " + tensor.shape()), PyBytes.of(bytes.array()));
    }
    if (value instanceof PyDict dict) {
      Map<PickleObject, PickleObject> entries = new LinkedHashMap<>();
      for (Map.Entry<PickleObject, PickleObject> entry : dict.entries().entrySet()) {
        entries.put(entry.getKey(), resolved(entry.getValue(), reader));
      }
      return new PyDict(dict.ordered(), entries);
    }
    List<PickleObject> items = new ArrayList<>();
    if (value instanceof PyList || value instanceof PyTuple) {
      for (PickleObject item :
          value instanceof PyList list ? list.items() : ((PyTuple) value).items()) {
        items.add(resolved(item, reader));
      }
      return value instanceof PyList ? new PyList(items) : new PyTuple(items);
    }
    return value;
  }
}
