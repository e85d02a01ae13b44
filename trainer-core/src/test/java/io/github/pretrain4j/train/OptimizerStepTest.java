package io.github.pretrain4j.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.pretrain4j.checkpoint.CorruptCheckpointException;
import io.github.pretrain4j.checkpoint.PickleObject;
import io.github.pretrain4j.checkpoint.PickleObject.PyDict;
import io.github.pretrain4j.checkpoint.PickleObject.PyList;
import io.github.pretrain4j.checkpoint.TensorReference;
import io.github.pretrain4j.checkpoint.megatron.MegatronCheckpoint;
import io.github.pretrain4j.checkpoint.megatron.MegatronCheckpointWriter;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Where optimizers record their step: per parameter as PyTorch, or per group as Apex. */
final class OptimizerStepTest {
  private static final PickleObject STEP = PickleObject.of("step");

  private final Path directory;

  OptimizerStepTest(@TempDir Path directory) throws IOException {
    this.directory = directory;
    TinyTraining.prepare(directory);
    Map<String, Object> options = options("base");
    options.put("exit_interval", 4);
    train(options);
  }

  private Map<String, Object> options(String save) {
    return TinyTraining.options(directory, directory.resolve(save));
  }

  private static Trainer.Summary train(Map<String, Object> options) throws IOException {
    try (Trainer trainer = Trainer.create(TrainConfig.of(options))) {
      return trainer.run();
    }
  }

  /** A copy of the checkpoint whose groups, not parameters, have steps: these, one by one. */
  private Map<String, Object> withGroupSteps(String name, long... steps) throws IOException {
    try (MegatronCheckpoint source = MegatronCheckpoint.open(directory.resolve("base"))) {
      Map<String, TensorReference> tensors = new HashMap<>();
      PyDict root = (PyDict) Objects.requireNonNull(source.extraState("optimizer"));
      Map<PickleObject, PickleObject> state = new LinkedHashMap<>();
      ((PyDict) Objects.requireNonNull(root.get("state")))
          .entries()
          .forEach((index, entry) -> state.put(index, moments((PyDict) entry, tensors)));
      List<PickleObject> groups = new ArrayList<>();
      for (PickleObject group :
          ((PyList) Objects.requireNonNull(root.get("param_groups"))).items()) {
        Map<PickleObject, PickleObject> entries = new LinkedHashMap<>(((PyDict) group).entries());
        entries.put(STEP, PickleObject.of(steps[groups.size()]));
        groups.add(new PyDict(false, entries));
      }
      Map<String, PickleObject> extra = new LinkedHashMap<>();
      extra.put(
          "optimizer",
          PyDict.of(Map.of("state", new PyDict(false, state), "param_groups", new PyList(groups))));
      extra.put(
          "opt_param_scheduler", Objects.requireNonNull(source.extraState("opt_param_scheduler")));
      MegatronCheckpointWriter.create(directory.resolve(name))
          .iteration(4)
          .arguments(source.arguments())
          .extraState(
              extra,
              (tensor, out) -> {
                TensorReference from = Objects.requireNonNull(tensors.get(tensor.name()));
                ByteBuffer bytes = ByteBuffer.allocate(Math.toIntExact(from.byteCount()));
                source.read(from, 0, bytes);
                out.write(bytes.flip());
              })
          .write(source.fullTensors());
    }
    Map<String, Object> options = options(name);
    options.put("no_load_rng", true);
    return options;
  }

  private static PyDict moments(PyDict entry, Map<String, TensorReference> tensors) {
    Map<String, PickleObject> copy = new LinkedHashMap<>();
    for (String key : List.of("exp_avg", "exp_avg_sq")) {
      TensorReference tensor = (TensorReference) Objects.requireNonNull(entry.get(key));
      String name = "moment" + tensors.size();
      tensors.put(name, tensor);
      copy.put(key, TensorReference.contiguous(name, tensor.type(), tensor.shape()));
    }
    return PyDict.of(copy);
  }

  @Test
  void goesOnFromTheStepsOfGroupsAsFromThoseOfParameters() throws IOException {
    Map<String, Object> options = withGroupSteps("apex", 4, 4);
    double expected = train(options("base")).lastLoss();
    assertEquals(expected, train(options).lastLoss());
  }

  @Test
  void refusesStepsThatDiffer() throws IOException {
    Map<String, Object> options = withGroupSteps("apex", 4, 3);
    CorruptCheckpointException e =
        assertThrows(CorruptCheckpointException.class, () -> train(options));
    assertTrue(String.valueOf(e.getMessage()).contains("[3, 4]"), e::getMessage);
  }
}
