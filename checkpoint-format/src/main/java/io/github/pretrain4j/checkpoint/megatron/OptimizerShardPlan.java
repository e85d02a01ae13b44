package io.github.pretrain4j.checkpoint.megatron;

import io.github.pretrain4j.checkpoint.DataType;
import io.github.pretrain4j.checkpoint.PickleObject;
import io.github.pretrain4j.checkpoint.PickleObject.PyDict;
import io.github.pretrain4j.checkpoint.PickleObject.PyList;
import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.TensorReference;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The entry {@code optimizer} of one rank's file, as Megatron writes it without its distributed
 * optimizer, and where its tensors come from.
 *
 * @param entry a dictionary, or a list of two where experts have an optimizer of their own
 * @param slots its tensors, in the order of the entry
 */
record OptimizerShardPlan(PickleObject entry, List<StateSlot> slots) {
  /** What storage keys of the entry start with. */
  static final String STORAGE_PREFIX = "optimizer/";

  /** Copies the list. */
  OptimizerShardPlan {
    slots = List.copyOf(slots);
  }

  /**
   * Lays the entry out.
   *
   * @param chunks for each model chunk of the rank its parameters (this rank's part): the key in
   *     the dictionary, in the dictionary's order. Buffers and extra states may be among them
   * @param kinds the kinds of tensors there are
   * @param expertsApart whether experts have an optimizer of their own: with expert parallelism, or
   *     when they are split over other tensor ranks than the rest
   * @throws IllegalArgumentException if there is no group for some parameter
   */
  static OptimizerShardPlan of(
      OptimizerSettings settings,
      List<Map<String, TensorInfo>> chunks,
      Set<OptimizerTensor> kinds,
      boolean expertsApart) {
    Builder builder = new Builder(settings, kinds, expertsApart);
    List<OptimizerParameter> parameters = OptimizerParameter.of(chunks);
    List<OptimizerParameter> dense = new ArrayList<>();
    List<OptimizerParameter> experts = new ArrayList<>();
    for (OptimizerParameter parameter : parameters) {
      (expertsApart && parameter.isExpert() ? experts : dense).add(parameter);
    }
    PickleObject entry = builder.optimizer(dense);
    if (!experts.isEmpty()) {
      entry = new PyList(List.of(entry, builder.optimizer(experts)));
    }
    if (!builder.missing.isEmpty()) {
      throw new IllegalArgumentException(
          "the optimizer has no parameter group for " + String.join(", ", builder.missing));
    }
    return new OptimizerShardPlan(entry, builder.slots);
  }

  private static final class Builder {
    final List<StateSlot> slots = new ArrayList<>();
    final List<String> missing = new ArrayList<>();
    private final OptimizerSettings settings;
    private final Set<OptimizerTensor> kinds;
    private final boolean expertsApart;
    private final Map<OptimizerGroup, PyDict> groups = new LinkedHashMap<>();
    private int optimizers;

    Builder(OptimizerSettings settings, Set<OptimizerTensor> kinds, boolean expertsApart) {
      this.settings = settings;
      this.kinds = kinds;
      this.expertsApart = expertsApart;
      for (PyDict group : settings.groups()) {
        groups.putIfAbsent(OptimizerGroup.of(group), group);
      }
      addGroupsOfExperts();
    }

    /** Experts that were not apart had the groups of the rest. */
    private void addGroupsOfExperts() {
      Map<OptimizerGroup, PyDict> missingGroups = new LinkedHashMap<>();
      groups.forEach(
          (kind, group) -> {
            OptimizerGroup other =
                new OptimizerGroup(kind.decays(), kind.ownLearningRate(), !kind.experts());
            if (!groups.containsKey(other)) {
              missingGroups.put(other, OptimizerGroup.withExperts(group, other.experts()));
            }
          });
      missingGroups.forEach(groups::putIfAbsent);
    }

    PickleObject optimizer(List<OptimizerParameter> parameters) {
      int index = optimizers++;
      Map<OptimizerGroup, List<OptimizerParameter>> members = new LinkedHashMap<>();
      groups.keySet().forEach(kind -> members.put(kind, new ArrayList<>()));
      for (OptimizerParameter parameter : parameters) {
        List<OptimizerParameter> group = members.get(kind(parameter));
        if (group == null) {
          missing.add(parameter.key());
        } else {
          group.add(parameter);
        }
      }
      members.values().removeIf(List::isEmpty);
      Map<PickleObject, PickleObject> states = new LinkedHashMap<>();
      List<PickleObject> written = new ArrayList<>();
      List<PickleObject> masters = new ArrayList<>();
      members.forEach(
          (kind, group) -> {
            List<PickleObject> numbers = new ArrayList<>();
            List<PickleObject> groupMasters = new ArrayList<>();
            for (OptimizerParameter parameter : group) {
              PickleObject number = PickleObject.of(numbersBefore(written) + numbers.size());
              numbers.add(number);
              PyDict state = state(parameter);
              if (!state.entries().isEmpty()) {
                states.put(number, state);
              }
              if (parameter.isHalf()) {
                groupMasters.add(tensor(OptimizerTensor.FP32_PARAM, parameter));
              }
            }
            written.add(group(kind, numbers));
            masters.add(new PyList(groupMasters));
          });
      PyDict inner =
          PyDict.of(
              inOrder("state", new PyDict(false, states), "param_groups", new PyList(written)));
      boolean half = parameters.stream().anyMatch(OptimizerParameter::isHalf);
      if (!half) {
        return inner;
      }
      Map<String, PickleObject> outer = new LinkedHashMap<>();
      outer.put("optimizer", inner);
      if (settings.gradScaler() != null) {
        outer.put("grad_scaler", gradScaler(settings.gradScaler(), index));
      }
      outer.put("fp32_from_fp16_params", new PyList(masters));
      return PyDict.of(outer);
    }

    private static Map<String, PickleObject> inOrder(
        String key, PickleObject value, String nextKey, PickleObject nextValue) {
      Map<String, PickleObject> entries = new LinkedHashMap<>();
      entries.put(key, value);
      entries.put(nextKey, nextValue);
      return entries;
    }

    private static int numbersBefore(List<PickleObject> groups) {
      int count = 0;
      for (PickleObject group : groups) {
        if (group instanceof PyDict dict && dict.get("params") instanceof PyList numbers) {
          count += numbers.items().size();
        }
      }
      return count;
    }

    private OptimizerGroup kind(OptimizerParameter parameter) {
      boolean ownLearningRate = groups.keySet().stream().anyMatch(OptimizerGroup::ownLearningRate);
      return OptimizerGroup.of(parameter, ownLearningRate, expertsApart, false);
    }

    private PyDict group(OptimizerGroup kind, List<PickleObject> numbers) {
      Map<PickleObject, PickleObject> entries = new LinkedHashMap<>();
      PyDict group = groups.get(kind);
      if (group != null) {
        entries.putAll(group.entries());
      }
      if (!settings.stepOfParameters() && settings.step() > 0) {
        entries.put(PickleObject.of("step"), PickleObject.of(settings.step()));
      }
      entries.put(PickleObject.of("params"), new PyList(numbers));
      return new PyDict(false, entries);
    }

    private PyDict state(OptimizerParameter parameter) {
      Map<String, PickleObject> entries = new LinkedHashMap<>();
      if (kinds.contains(OptimizerTensor.EXP_AVG) && kinds.contains(OptimizerTensor.EXP_AVG_SQ)) {
        if (settings.stepOfParameters()) {
          entries.put(
              "step",
              number(
                  "step/" + parameter.chunk() + "/" + parameter.key(),
                  List.of(),
                  (double) settings.step()));
        }
        entries.put("exp_avg", tensor(OptimizerTensor.EXP_AVG, parameter));
        entries.put("exp_avg_sq", tensor(OptimizerTensor.EXP_AVG_SQ, parameter));
      }
      return PyDict.of(entries);
    }

    private TensorReference tensor(OptimizerTensor kind, OptimizerParameter parameter) {
      String key = STORAGE_PREFIX + kind.key() + "/" + parameter.chunk() + "/" + parameter.key();
      TensorInfo info = new TensorInfo(key, DataType.F32, parameter.info().shape());
      slots.add(new StateSlot(info, kind, parameter.chunk(), parameter.key(), null));
      return TensorReference.contiguous(info);
    }

    /** Every number needs a storage of its own: PyTorch counts steps in place. */
    private TensorReference number(String name, List<Long> shape, double value) {
      TensorInfo info = new TensorInfo(STORAGE_PREFIX + name, DataType.F32, shape);
      slots.add(StateSlot.of(info, (float) value));
      return TensorReference.contiguous(info);
    }

    /** Megatron wants the scale as a tensor. */
    private PyDict gradScaler(PyDict scaler, int optimizer) {
      Map<PickleObject, PickleObject> entries = new LinkedHashMap<>(scaler.entries());
      entries.computeIfPresent(
          PickleObject.of("scale"),
          (key, scale) ->
              scale instanceof PickleObject.PyFloat value
                  ? number("scale/" + optimizer, List.of(1L), value.value())
                  : scale);
      return new PyDict(false, entries);
    }
  }
}
