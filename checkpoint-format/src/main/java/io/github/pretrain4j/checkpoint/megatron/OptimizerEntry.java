package io.github.pretrain4j.checkpoint.megatron;

import io.github.pretrain4j.checkpoint.CorruptCheckpointException;
import io.github.pretrain4j.checkpoint.DataType;
import io.github.pretrain4j.checkpoint.PickleObject;
import io.github.pretrain4j.checkpoint.PickleObject.PyDict;
import io.github.pretrain4j.checkpoint.PickleObject.PyFloat;
import io.github.pretrain4j.checkpoint.PickleObject.PyInt;
import io.github.pretrain4j.checkpoint.PickleObject.PyList;
import io.github.pretrain4j.checkpoint.PickleObject.PyString;
import io.github.pretrain4j.checkpoint.PickleObject.PyTuple;
import io.github.pretrain4j.checkpoint.TensorReference;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * The entry {@code optimizer} of a file: one optimizer, or several that are chained (one for
 * experts). Of every optimizer there are three shapes:
 *
 * <pre>
 *   fp32           {state: {i: {step, exp_avg, exp_avg_sq}}, param_groups: [{…, params: [i…]}]}
 *   16 bits        {optimizer: that, fp32_from_fp16_params: [[tensor…]…], grad_scaler}
 *   distributed    {optimizer: {param_groups: [{…}]}, grad_scaler}; the rest in distrib_optim.pt
 * </pre>
 */
final class OptimizerEntry {
  /**
   * One optimizer.
   *
   * @param state what it keeps for each parameter, by number; may hold other keys
   * @param masters fp32 copies by group; empty if it keeps none
   */
  record Optimizer(
      Map<PickleObject, PickleObject> state,
      List<PyDict> groups,
      List<List<PickleObject>> masters) {}

  private static final Set<String> GROUPS_OWN = Set.of("params", "step");

  private final Path file;
  private final ReferenceReader data;
  private final List<Optimizer> optimizers = new ArrayList<>();
  private @Nullable PyDict gradScaler;

  private OptimizerEntry(Path file, ReferenceReader data) {
    this.file = file;
    this.data = data;
  }

  static OptimizerEntry of(Path file, PickleObject entry, ReferenceReader data) throws IOException {
    OptimizerEntry result = new OptimizerEntry(file, data);
    if (entry instanceof PyList list) {
      for (PickleObject item : list.items()) {
        result.add(item);
      }
    } else if (entry instanceof PyDict dict
        && !dict.entries().isEmpty()
        && dict.entries().keySet().stream().allMatch(PyInt.class::isInstance)) {
      for (PickleObject item : dict.entries().values()) {
        result.add(item);
      }
    } else {
      result.add(entry);
    }
    return result;
  }

  /**
   * Whether there are parameter groups: not where every rank of a distributed run saved its own.
   */
  static boolean hasGroups(PickleObject entry) {
    if (entry instanceof PyList list) {
      return !list.items().isEmpty() && hasGroups(list.items().get(0));
    }
    if (!(entry instanceof PyDict dict) || dict.entries().isEmpty()) {
      return false;
    }
    PickleObject nested = dict.get("optimizer");
    return dict.get("param_groups") != null
        || (nested != null && hasGroups(nested))
        || (dict.entries().keySet().iterator().next() instanceof PyInt
            && hasGroups(dict.entries().values().iterator().next()));
  }

  private void add(PickleObject entry) throws IOException {
    PyDict outer = dictionary(entry, "optimizer");
    PyDict inner = outer;
    for (String key : List.of("optimizer", "optimizer_state_dict")) {
      if (outer.get(key) instanceof PyDict nested) {
        inner = nested;
      }
    }
    Map<PickleObject, PickleObject> state =
        inner.get("state") instanceof PyDict dict ? dict.entries() : Map.of();
    List<PyDict> groups = new ArrayList<>();
    for (PickleObject group : items(inner.get("param_groups"), "optimizer.param_groups")) {
      groups.add(dictionary(group, "optimizer.param_groups"));
    }
    PickleObject masters = outer.get("fp32_from_fp16_params");
    if (masters == null) {
      masters = outer.get("fp32_from_fp16");
    }
    List<List<PickleObject>> byGroup = new ArrayList<>();
    if (masters != null) {
      for (PickleObject group : items(masters, "optimizer.fp32_from_fp16_params")) {
        byGroup.add(items(group, "optimizer.fp32_from_fp16_params"));
      }
    }
    if (outer.get("grad_scaler") instanceof PyDict scaler
        && inline(scaler) instanceof PyDict inlined
        && !inlined.entries().isEmpty()) {
      gradScaler = inlined;
    }
    optimizers.add(new Optimizer(state, groups, byGroup));
  }

  List<Optimizer> optimizers() {
    return optimizers;
  }

  /** Whether what it keeps for parameters is in another file. */
  boolean isDistributed() {
    return optimizers.stream()
        .allMatch(
            optimizer ->
                optimizer.state().isEmpty()
                    && !optimizer.groups().isEmpty()
                    && optimizer.groups().stream().allMatch(group -> group.get("params") == null));
  }

  /** What belongs to no parameter. */
  OptimizerSettings settings() throws IOException {
    List<PyDict> groups = new ArrayList<>();
    Set<Long> steps = new TreeSet<>();
    boolean fromParameters = false;
    boolean pytorch = false;
    for (Optimizer optimizer : optimizers) {
      for (Map.Entry<PickleObject, PickleObject> entry : optimizer.state().entrySet()) {
        PickleObject step =
            entry.getKey().equals(PickleObject.of("common_step"))
                ? entry.getValue()
                : entry.getValue() instanceof PyDict dict ? dict.get("step") : null;
        if (step != null) {
          steps.add(whole(step, "optimizer step"));
          fromParameters = true;
        }
      }
      for (PyDict group : optimizer.groups()) {
        PickleObject step = group.get("step");
        if (step != null && !(step instanceof PickleObject.PyNone)) {
          steps.add(whole(step, "optimizer step"));
        }
        pytorch |= group.get("amsgrad") != null;
        groups.add(settings(group));
      }
    }
    steps.remove(0L); // of a group without parameters
    if (steps.size() > 1) {
      throw corrupt("optimizer step", "the same for all parameters", steps);
    }
    return new OptimizerSettings(
        steps.isEmpty() ? 0 : steps.iterator().next(),
        fromParameters || pytorch,
        groups,
        gradScaler);
  }

  private PyDict settings(PyDict group) throws IOException {
    Map<PickleObject, PickleObject> entries = new LinkedHashMap<>();
    for (Map.Entry<PickleObject, PickleObject> entry : group.entries().entrySet()) {
      if (!(entry.getKey() instanceof PyString key && GROUPS_OWN.contains(key.value()))) {
        entries.put(entry.getKey(), inline(entry.getValue()));
      }
    }
    return new PyDict(false, entries);
  }

  /** The same with numbers in the place of tensors of one element. */
  private PickleObject inline(PickleObject value) throws IOException {
    if (value instanceof TensorReference tensor) {
      return scalar(tensor, "a setting of the optimizer");
    }
    if (value instanceof PyList list) {
      return new PyList(inline(list.items()));
    }
    if (value instanceof PyTuple tuple) {
      return new PyTuple(inline(tuple.items()));
    }
    if (value instanceof PyDict dict) {
      Map<PickleObject, PickleObject> entries = new LinkedHashMap<>();
      for (Map.Entry<PickleObject, PickleObject> entry : dict.entries().entrySet()) {
        entries.put(entry.getKey(), inline(entry.getValue()));
      }
      return new PyDict(dict.ordered(), entries);
    }
    return value;
  }

  private List<PickleObject> inline(List<PickleObject> items) throws IOException {
    List<PickleObject> result = new ArrayList<>();
    for (PickleObject item : items) {
      result.add(inline(item));
    }
    return result;
  }

  private PickleObject scalar(TensorReference tensor, String what) throws IOException {
    DataType type = tensor.type();
    if (tensor.elementCount() != 1
        || !(type == DataType.F32
            || type == DataType.F64
            || type == DataType.I32
            || type == DataType.I64)) {
      throw corrupt(what, "one number", type + " " + tensor.shape());
    }
    ByteBuffer bytes = ByteBuffer.allocate(type.bytes());
    data.read(tensor, 0, bytes);
    bytes.order(ByteOrder.LITTLE_ENDIAN);
    return switch (type) {
      case F32 -> PickleObject.of((double) bytes.getFloat(0));
      case F64 -> PickleObject.of(bytes.getDouble(0));
      case I32 -> PickleObject.of((long) bytes.getInt(0));
      default -> PickleObject.of(bytes.getLong(0));
    };
  }

  private long whole(PickleObject value, String what) throws IOException {
    PickleObject number = value instanceof TensorReference tensor ? scalar(tensor, what) : value;
    if (number instanceof PyInt integer
        && integer.value().signum() >= 0
        && integer.value().bitLength() < Long.SIZE) {
      return integer.longValueExact();
    }
    if (number instanceof PyFloat decimal
        && decimal.value() >= 0
        && decimal.value() < 1L << 53
        && decimal.value() == Math.rint(decimal.value())) {
      return (long) decimal.value();
    }
    throw corrupt(what, "a whole number", describe(number));
  }

  PyDict dictionary(@Nullable PickleObject value, String what) throws CorruptCheckpointException {
    if (value instanceof PyDict dict) {
      return dict;
    }
    throw corrupt(what, "a dictionary", describe(value));
  }

  List<PickleObject> items(@Nullable PickleObject value, String what)
      throws CorruptCheckpointException {
    if (value instanceof PyList list) {
      return list.items();
    }
    throw corrupt(what, "a list", describe(value));
  }

  CorruptCheckpointException corrupt(String what, Object expected, Object found) {
    return new CorruptCheckpointException(file, 0, what, expected, found);
  }

  static String describe(@Nullable PickleObject value) {
    return value == null
        ? "nothing"
        : value instanceof TensorReference tensor
            ? tensor.type() + " " + tensor.shape()
            : value instanceof PyInt || value instanceof PyFloat
                ? value.toString()
                : value.getClass().getSimpleName();
  }
}
