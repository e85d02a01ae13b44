package io.github.pretrain4j.checkpoint.megatron;

import io.github.pretrain4j.checkpoint.DataType;
import io.github.pretrain4j.checkpoint.PickleObject;
import io.github.pretrain4j.checkpoint.PickleObject.PyBytes;
import io.github.pretrain4j.checkpoint.PickleObject.PyDict;
import io.github.pretrain4j.checkpoint.PickleObject.PyList;
import io.github.pretrain4j.checkpoint.PickleObject.PyTuple;
import io.github.pretrain4j.checkpoint.TensorContent;
import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.TensorReference;
import io.github.pretrain4j.checkpoint.TorchFileReader;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * What a training run keeps beside tensors of parameters' shapes, apart from any file: the entries
 * of {@link MegatronCheckpoint#commonState}.
 *
 * <pre>
 *   optimizer            see OptimizerSettings
 *   opt_param_scheduler  as Megatron has it
 *   rng_state            {directory of the rank: the rank's state}; byte tensors have become bytes
 *   num_floating_point_operations_so_far, data_ledger
 * </pre>
 *
 * <p>Random states belong to ranks, so they go into another checkpoint only if its ranks are the
 * same.
 */
final class TrainingState {
  static final String SCHEDULER = "opt_param_scheduler";
  static final String RANDOM = "rng_state";

  /** Entries that mean the same in every layout. */
  private static final List<String> SHARED =
      List.of(SCHEDULER, "num_floating_point_operations_so_far", "data_ledger");

  private static final String RANDOM_PREFIX = "rng/";

  private TrainingState() {}

  /** A rank of a checkpoint that is read: the name of its directory, and its file. */
  record Rank(String name, TorchFileReader reader) {}

  /**
   * From the files of the {@code torch} format.
   *
   * @param ranks the first is that of tensor and pipeline rank 0
   * @param optimizer settings of the first rank; null if it has no optimizer
   */
  static Map<String, PickleObject> of(List<Rank> ranks, @Nullable OptimizerSettings optimizer)
      throws IOException {
    Map<String, PickleObject> state = new LinkedHashMap<>();
    if (optimizer != null) {
      state.put(OptimizerSettings.KEY, optimizer.toPickle());
    }
    if (!(ranks.get(0).reader().root() instanceof PyDict first)) {
      return state;
    }
    putShared(first, state);
    Map<String, PickleObject> random = new TreeMap<>();
    for (Rank rank : ranks) {
      PickleObject own = rank.reader().root() instanceof PyDict root ? root.get(RANDOM) : null;
      if (own != null) {
        random.put(rank.name(), inlined(own, rank.reader()::read));
      }
    }
    if (random.size() == ranks.size()) {
      state.put(RANDOM, PyDict.of(random));
    }
    return Collections.unmodifiableMap(state);
  }

  /** From a distributed checkpoint, whose random states are left behind. */
  static Map<String, PickleObject> of(TorchDistCheckpoint checkpoint) throws IOException {
    Map<String, PickleObject> state = new LinkedHashMap<>();
    PyDict common = checkpoint.commonState();
    PickleObject optimizer = common.get(OptimizerSettings.KEY);
    if (optimizer != null && OptimizerEntry.hasGroups(optimizer)) {
      OptimizerSettings settings =
          OptimizerEntry.of(checkpoint.directory(), optimizer, checkpoint::read).settings();
      state.put(OptimizerSettings.KEY, settings.toPickle());
    }
    putShared(common, state);
    return Collections.unmodifiableMap(state);
  }

  private static void putShared(PyDict root, Map<String, PickleObject> state) {
    for (String key : SHARED) {
      PickleObject value = root.get(key);
      if (value != null) {
        state.put(key, value);
      }
    }
    PickleObject older = root.get("lr_scheduler");
    if (older != null) {
      state.putIfAbsent(SCHEDULER, older);
    }
  }

  private static PickleObject inlined(PickleObject value, ReferenceReader data) throws IOException {
    List<IOException> failures = new ArrayList<>();
    PickleObject result =
        replaced(
            value,
            item -> {
              if (item instanceof TensorReference tensor
                  && tensor.type() == DataType.U8
                  && tensor.shape().size() == 1
                  && tensor.byteCount() <= 1 << 20) {
                ByteBuffer bytes = ByteBuffer.allocate((int) tensor.byteCount());
                try {
                  data.read(tensor, 0, bytes);
                } catch (IOException e) {
                  failures.add(e);
                }
                return PyBytes.of(bytes.array());
              }
              return item;
            });
    if (!failures.isEmpty()) {
      throw failures.get(0);
    }
    return result;
  }

  private static PickleObject replaced(PickleObject value, UnaryOperator<PickleObject> leaf) {
    if (value instanceof PyList list) {
      return new PyList(list.items().stream().map(item -> replaced(item, leaf)).toList());
    }
    if (value instanceof PyTuple tuple) {
      return new PyTuple(tuple.items().stream().map(item -> replaced(item, leaf)).toList());
    }
    if (value instanceof PyDict dict) {
      Map<PickleObject, PickleObject> entries = new LinkedHashMap<>();
      dict.entries().forEach((key, item) -> entries.put(key, replaced(item, leaf)));
      return new PyDict(dict.ordered(), entries);
    }
    return leaf.apply(value);
  }

  /**
   * The entries of one rank's file, and their tensors.
   *
   * @param entries in the order of the file
   */
  record RankPlan(Map<String, PickleObject> entries, List<StateSlot> slots) {}

  /**
   * Lays out the entries of one rank's file of the {@code torch} format.
   *
   * @param state as {@link #of} gives it
   * @param rank the name of the rank's directory
   * @param ranks the names of all
   * @param chunks as {@link OptimizerShardPlan#of} takes them
   * @param kinds the kinds of tensors of the optimizer
   * @throws IllegalArgumentException if the optimizer's settings do not fit the model
   */
  static RankPlan plan(
      Map<String, ? extends PickleObject> state,
      String rank,
      Set<String> ranks,
      List<Map<String, TensorInfo>> chunks,
      Set<OptimizerTensor> kinds,
      boolean expertsApart) {
    Map<String, PickleObject> entries = new LinkedHashMap<>();
    List<StateSlot> slots = new ArrayList<>();
    PickleObject optimizer = state.get(OptimizerSettings.KEY);
    if (optimizer != null) {
      OptimizerShardPlan plan =
          OptimizerShardPlan.of(OptimizerSettings.of(optimizer), chunks, kinds, expertsApart);
      entries.put(OptimizerSettings.KEY, plan.entry());
      slots.addAll(plan.slots());
    }
    for (String key : SHARED) {
      PickleObject value = state.get(key);
      if (value != null) {
        entries.put(key, value);
      }
    }
    if (keepsRandomState(state, ranks) && state.get(RANDOM) instanceof PyDict random) {
      PickleObject own = random.get(rank);
      if (own != null) {
        entries.put(RANDOM, withTensors(own, slots));
      }
    }
    return new RankPlan(entries, List.copyOf(slots));
  }

  /** Whether the random states are of just these ranks. */
  static boolean keepsRandomState(Map<String, ? extends PickleObject> state, Set<String> ranks) {
    return state.get(RANDOM) instanceof PyDict random
        && random.stringEntries().keySet().equals(ranks);
  }

  /** The inverse of {@link #inlined}. */
  private static PickleObject withTensors(PickleObject value, List<StateSlot> slots) {
    return replaced(
        value,
        item -> {
          if (!(item instanceof PyBytes bytes)) {
            return item;
          }
          TensorInfo info =
              new TensorInfo(
                  RANDOM_PREFIX + slots.size(), DataType.U8, List.of((long) bytes.size()));
          slots.add(StateSlot.of(info, bytes));
          return TensorReference.contiguous(info);
        });
  }

  /**
   * The entries of the common file of a distributed checkpoint.
   *
   * @param half whether the model is of 16 bits
   */
  static TorchDistFiles.CommonState distributed(
      Map<String, ? extends PickleObject> state, boolean half) {
    Map<String, PickleObject> entries = new LinkedHashMap<>();
    Map<String, PyBytes> contents = new LinkedHashMap<>();
    PickleObject optimizer = state.get(OptimizerSettings.KEY);
    if (optimizer != null) {
      List<StateSlot> slots = new ArrayList<>();
      entries.put(OptimizerSettings.KEY, distributed(OptimizerSettings.of(optimizer), half, slots));
      for (StateSlot slot : slots) {
        PyBytes content = slot.content();
        if (content != null) {
          contents.put(slot.tensor().name(), content);
        }
      }
    }
    for (String key : SHARED) {
      PickleObject value = state.get(key);
      if (value != null) {
        entries.put(key, value);
      }
    }
    TensorContent content =
        (tensor, out) -> {
          PyBytes bytes = contents.get(tensor.name());
          if (bytes == null) {
            throw new IllegalArgumentException("no content for " + tensor.name());
          }
          out.write(ByteBuffer.wrap(bytes.toByteArray()));
        };
    return new TorchDistFiles.CommonState(entries, content);
  }

  private static PyDict distributed(
      OptimizerSettings settings, boolean half, List<StateSlot> slots) {
    Map<String, PickleObject> inner = new LinkedHashMap<>();
    Map<String, PickleObject> common = new LinkedHashMap<>();
    if (settings.stepOfParameters() && settings.step() > 0) {
      TensorInfo step =
          new TensorInfo(OptimizerShardPlan.STORAGE_PREFIX + "step", DataType.F32, List.of());
      slots.add(StateSlot.of(step, (float) settings.step()));
      common.put("common_step", TensorReference.contiguous(step));
    }
    inner.put("state", PyDict.of(common));
    List<PickleObject> groups = new ArrayList<>();
    for (PyDict group : settings.groups()) {
      Map<PickleObject, PickleObject> entries = new LinkedHashMap<>(group.entries());
      if (settings.step() > 0) { // where optimizers of other makers look for it
        entries.put(PickleObject.of("step"), PickleObject.of(settings.step()));
      }
      groups.add(new PyDict(false, entries));
    }
    inner.put("param_groups", new PyList(groups));
    if (!half) {
      return PyDict.of(inner);
    }
    Map<String, PickleObject> outer = new LinkedHashMap<>();
    outer.put("optimizer", PyDict.of(inner));
    outer.put("param_state_sharding_type", PickleObject.of("fully_reshardable"));
    if (settings.gradScaler() != null) {
      outer.put("grad_scaler", settings.gradScaler());
    }
    return PyDict.of(outer);
  }
}
