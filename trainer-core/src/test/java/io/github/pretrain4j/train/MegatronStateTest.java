package io.github.pretrain4j.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.github.pretrain4j.SharedFiles;
import io.github.pretrain4j.checkpoint.PickleObject;
import io.github.pretrain4j.checkpoint.PickleObject.PyDict;
import io.github.pretrain4j.checkpoint.PickleObject.PyList;
import io.github.pretrain4j.checkpoint.PickleObject.PyTuple;
import io.github.pretrain4j.checkpoint.TensorReference;
import io.github.pretrain4j.checkpoint.megatron.MegatronCheckpoint;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/**
 * Optimizer, schedule and random state against a checkpoint that Megatron-LM itself saved after 20
 * iterations.
 */
final class MegatronStateTest {
  private final Path directory;

  MegatronStateTest(@TempDir Path directory) throws IOException {
    this.directory = directory;
    TinyTraining.writeDocuments(directory.resolve("data"), 60, 512, 1);
  }

  @TestFactory
  List<DynamicTest> megatron() {
    return SharedFiles.golden()
        .map(
            golden ->
                List.of(
                    DynamicTest.dynamicTest(
                        "saves what it loaded", () -> savesWhatItLoaded(golden)),
                    DynamicTest.dynamicTest("trains on", () -> trainsOn(golden))))
        .orElse(List.of());
  }

  private Map<String, Object> options(Path golden, int trainIterations) {
    Map<String, Object> options = TinyTraining.options(directory, directory.resolve("out"));
    options.put("hf_config", golden.resolve("hf/llama/safetensors").toString());
    options.put("load", golden.resolve("megatron_train/llama_tp1pp1/torch_fp32").toString());
    options.put("vocab_size", 512);
    options.put("make_vocab_size_divisible_by", 128);
    options.put("train_iters", trainIterations);
    options.put("save_interval", 100);
    options.put("eval_iters", 0);
    options.put("adam_beta2", 0.95);
    options.put("use_checkpoint_opt_param_scheduler", true);
    return options;
  }

  private void savesWhatItLoaded(Path golden) throws IOException {
    try (Trainer trainer = Trainer.create(TrainConfig.of(options(golden, 20)))) {
      assertEquals(20, trainer.iteration());
      trainer.run();
    }
    try (MegatronCheckpoint theirs =
            MegatronCheckpoint.open(golden.resolve("megatron_train/llama_tp1pp1/torch_fp32"));
        MegatronCheckpoint ours = MegatronCheckpoint.open(directory.resolve("out"))) {
      assertEquals(
          theirs.extraState("opt_param_scheduler"), ours.extraState("opt_param_scheduler"));
      PyDict expected = dictionary(theirs.extraState("optimizer"));
      PyDict found = dictionary(ours.extraState("optimizer"));
      assertEquals(expected.get("param_groups"), found.get("param_groups"));
      List<TensorReference> expectedTensors = tensors(expected.get("state"));
      List<TensorReference> foundTensors = tensors(found.get("state"));
      assertEquals(27 * 3, expectedTensors.size());
      for (int i = 0; i < expectedTensors.size(); i++) {
        assertEquals(expectedTensors.get(i).shape(), foundTensors.get(i).shape());
        assertArrayEquals(bytes(theirs, expectedTensors.get(i)), bytes(ours, foundTensors.get(i)));
      }
      assertEquals(80L, ours.arguments().get("consumed_train_samples"));
      compareRandomState(random(theirs), random(ours));
    }
  }

  /**
   * The values are Megatron's own generators after seeding; here their kinds and sizes are
   * compared.
   */
  private static void compareRandomState(PyDict expected, PyDict found) {
    assertEquals(expected.stringEntries().keySet(), found.stringEntries().keySet());
    assertEquals(
        sizes(tuple(expected.get("random_rng_state")).items().get(1)),
        sizes(tuple(found.get("random_rng_state")).items().get(1)));
    for (String tensor : List.of("torch_rng_state", "cuda_rng_state")) {
      assertEquals(
          tensors(expected.get(tensor)).getFirst().shape(),
          tensors(found.get(tensor)).getFirst().shape());
    }
    assertEquals(
        dictionary(expected.get("rng_tracker_states")).stringEntries().keySet(),
        dictionary(found.get("rng_tracker_states")).stringEntries().keySet());
  }

  private static int sizes(PickleObject value) {
    return tuple(value).items().size();
  }

  private static PyDict random(MegatronCheckpoint checkpoint) {
    return checkpoint.extraState("rng_state") instanceof PyList list
        ? dictionary(list.items().getFirst())
        : dictionary(null);
  }

  private static PyTuple tuple(@Nullable PickleObject value) {
    if (value instanceof PyTuple tuple) {
      return tuple;
    }
    throw new AssertionError("not a tuple: " + value);
  }

  private static PyDict dictionary(@Nullable PickleObject value) {
    if (value instanceof PyDict dictionary) {
      return dictionary;
    }
    throw new AssertionError("not a dictionary: " + value);
  }

  /** All tensors below a value, in order. */
  private static List<TensorReference> tensors(@Nullable PickleObject value) {
    List<TensorReference> found = new ArrayList<>();
    if (value instanceof TensorReference tensor) {
      found.add(tensor);
    } else if (value instanceof PyDict dictionary) {
      dictionary.entries().values().forEach(item -> found.addAll(tensors(item)));
    }
    return found;
  }

  private static byte[] bytes(MegatronCheckpoint checkpoint, TensorReference tensor)
      throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate(Math.toIntExact(tensor.byteCount()));
    checkpoint.read(tensor, 0, bytes);
    return bytes.array();
  }

  private void trainsOn(Path golden) throws IOException {
    Map<String, Object> options = options(golden, 22);
    options.put("split", "100,0,0");
    try (Trainer trainer = Trainer.create(TrainConfig.of(options))) {
      Trainer.Summary summary = trainer.run();
      assertEquals(22, summary.iteration());
      assertEquals(88, summary.consumedSamples());
    }
  }
}
