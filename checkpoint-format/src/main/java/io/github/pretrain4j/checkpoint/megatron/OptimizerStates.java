package io.github.pretrain4j.checkpoint.megatron;

import io.github.pretrain4j.checkpoint.CorruptCheckpointException;
import io.github.pretrain4j.checkpoint.DataType;
import io.github.pretrain4j.checkpoint.PickleObject;
import io.github.pretrain4j.checkpoint.PickleObject.PyDict;
import io.github.pretrain4j.checkpoint.TensorReference;
import io.github.pretrain4j.checkpoint.TorchFileReader;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Finds the parameters of numbered optimizer states: those without the distributed optimizer.
 *
 * <p>The file numbers states through the groups and does not name them. Which parameters a group
 * holds follows from its settings; they stand in the order of the model's dictionary. The shapes of
 * all states have to agree with it, and fp32 copies with the parameters themselves.
 */
final class OptimizerStates {
  private final OptimizerEntry entry;
  private final RankModel model;
  private final TorchFileReader reader;
  private final OptimizerShard.Assignment assignment;

  OptimizerStates(OptimizerEntry entry, RankModel model, TorchFileReader reader) {
    this.entry = entry;
    this.model = model;
    this.reader = reader;
    this.assignment = new OptimizerShard.Assignment(model.chunks());
  }

  OptimizerShard.Assignment assign() throws IOException {
    List<OptimizerEntry.Optimizer> optimizers = entry.optimizers();
    boolean expertsApart = optimizers.size() > 1;
    if (optimizers.size() > 2) {
      throw entry.corrupt(
          "optimizer", "one, or two if experts have their own", optimizers.size() + " optimizers");
    }
    Set<OptimizerParameter> left = new HashSet<>(model.parameters());
    for (int i = 0; i < optimizers.size(); i++) {
      boolean experts = i > 0;
      List<Integer> own = new ArrayList<>();
      for (int p = 0; p < model.parameters().size(); p++) {
        if (!expertsApart || model.parameters().get(p).isExpert() == experts) {
          own.add(p);
        }
      }
      assign(optimizers.get(i), own, expertsApart, left);
    }
    if (!left.isEmpty()) {
      throw entry.corrupt(
          "optimizer.param_groups",
          "every parameter",
          "none for "
              + String.join(
                  ", ",
                  model.parameters().stream()
                      .filter(left::contains)
                      .map(OptimizerParameter::key)
                      .toList()));
    }
    return assignment;
  }

  private void assign(
      OptimizerEntry.Optimizer optimizer,
      List<Integer> own,
      boolean expertsApart,
      Set<OptimizerParameter> left)
      throws IOException {
    List<PyDict> groups = optimizer.groups();
    List<OptimizerGroup> kinds = groups(groups);
    boolean ownLearningRate = kinds.stream().anyMatch(OptimizerGroup::ownLearningRate);
    boolean experts = expertsApart && kinds.stream().anyMatch(OptimizerGroup::experts);
    int states = 0;
    for (int g = 0; g < groups.size(); g++) {
      List<PickleObject> numbers =
          entry.items(groups.get(g).get("params"), "optimizer.param_groups[" + g + "].params");
      List<Integer> members = new ArrayList<>();
      for (int p : own) {
        OptimizerGroup kind =
            OptimizerGroup.of(
                model.parameters().get(p),
                ownLearningRate,
                experts,
                model.isTrue("apply_wd_to_qk_layernorm"));
        if (kind.equals(kinds.get(g))) {
          members.add(p);
        }
      }
      if (numbers.size() != members.size()) {
        throw entry.corrupt(
            "optimizer.param_groups[" + g + "].params",
            members.size() + " parameters: " + names(members),
            numbers.size());
      }
      for (int i = 0; i < members.size(); i++) {
        states += assign(optimizer, numbers.get(i), members.get(i));
        left.remove(model.parameters().get(members.get(i)));
      }
      assignMasters(optimizer, g, members);
    }
    if (states != numbered(optimizer)) {
      throw entry.corrupt("optimizer.state", states + " entries", numbered(optimizer));
    }
  }

  /** What each group holds; two alike could not be told apart. */
  private List<OptimizerGroup> groups(List<PyDict> settings) throws CorruptCheckpointException {
    List<OptimizerGroup> kinds = new ArrayList<>();
    Map<OptimizerGroup, Integer> seen = new HashMap<>();
    for (PyDict group : settings) {
      OptimizerGroup kind = OptimizerGroup.of(group);
      if (seen.merge(kind, 1, Integer::sum) > 1) {
        throw entry.corrupt(
            "optimizer.param_groups",
            "groups that differ in decay, learning rate or experts",
            "two with " + kind);
      }
      kinds.add(kind);
    }
    return kinds;
  }

  private static long numbered(OptimizerEntry.Optimizer optimizer) {
    return optimizer.state().keySet().stream().filter(PickleObject.PyInt.class::isInstance).count();
  }

  private String names(List<Integer> members) {
    return members.size() > 8
        ? model.parameters().get(members.get(0)).key() + ", …"
        : String.join(", ", members.stream().map(p -> model.parameters().get(p).key()).toList());
  }

  /** Number of states found: 1, or 0 before the first update. */
  private int assign(OptimizerEntry.Optimizer optimizer, PickleObject number, int p)
      throws IOException {
    OptimizerParameter parameter = model.parameters().get(p);
    PickleObject state = optimizer.state().get(number);
    if (state == null) {
      if (numbered(optimizer) == 0) {
        return 0;
      }
      throw entry.corrupt("optimizer.state of " + parameter.key(), "a dictionary", "nothing");
    }
    PyDict dict = entry.dictionary(state, "optimizer.state of " + parameter.key());
    for (OptimizerTensor kind : List.of(OptimizerTensor.EXP_AVG, OptimizerTensor.EXP_AVG_SQ)) {
      assignment.put(kind, parameter, tensor(dict.get(kind.key()), kind.key(), parameter));
    }
    return 1;
  }

  private void assignMasters(OptimizerEntry.Optimizer optimizer, int group, List<Integer> members)
      throws IOException {
    if (optimizer.masters().isEmpty()) {
      return;
    }
    List<PickleObject> masters =
        group < optimizer.masters().size() ? optimizer.masters().get(group) : List.of();
    List<Integer> half = members.stream().filter(p -> model.parameters().get(p).isHalf()).toList();
    if (masters.size() != half.size()) {
      throw entry.corrupt(
          "optimizer.fp32_from_fp16_params[" + group + "]",
          half.size() + " parameters",
          masters.size());
    }
    for (int i = 0; i < half.size(); i++) {
      int p = half.get(i);
      OptimizerParameter parameter = model.parameters().get(p);
      TensorReference master = tensor(masters.get(i), "fp32_from_fp16_params", parameter);
      String difference = model.difference(p, reader, master, reader);
      if (difference != null) {
        throw entry.corrupt("optimizer.fp32_from_fp16_params", "the model's values", difference);
      }
      assignment.put(OptimizerTensor.FP32_PARAM, parameter, master);
    }
  }

  private TensorReference tensor(
      @Nullable PickleObject value, String key, OptimizerParameter parameter)
      throws CorruptCheckpointException {
    if (value instanceof TensorReference tensor
        && tensor.type() == DataType.F32
        && tensor.shape().equals(parameter.info().shape())) {
      return tensor;
    }
    throw entry.corrupt(
        "optimizer " + key + " of " + parameter.key(),
        DataType.F32 + " " + parameter.info().shape(),
        OptimizerEntry.describe(value));
  }
}
