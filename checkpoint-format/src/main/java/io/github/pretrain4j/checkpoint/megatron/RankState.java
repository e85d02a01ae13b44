package io.github.pretrain4j.checkpoint.megatron;

import io.github.pretrain4j.checkpoint.PickleObject;
import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.TensorSource;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What one rank's file holds of a training run beside the model, and the data of its tensors by
 * storage key.
 */
final class RankState implements TensorSource {
  private final Map<String, PickleObject> entries;
  private final Map<String, StateSlot> slots = new LinkedHashMap<>();
  private final Map<OptimizerTensor, TensorSource> parameters =
      new EnumMap<>(OptimizerTensor.class);

  private RankState(Map<String, PickleObject> entries) {
    this.entries = entries;
  }

  /**
   * Lays it out.
   *
   * @param optimizer whole tensors, or null: then there is nothing
   * @param parameters those of the rank, in the order of its file
   * @throws IllegalArgumentException if the optimizer's settings do not fit the model
   */
  static RankState plan(
      ParallelLayout layout,
      Rank rank,
      TensorSource model,
      @Nullable TensorSource optimizer,
      Map<String, PickleObject> commonState,
      List<RankParameter> parameters) {
    if (optimizer == null) {
      return new RankState(Map.of());
    }
    List<Map<String, TensorInfo>> chunks = new ArrayList<>();
    for (int chunk = 0; chunk < layout.virtualPipelineModelParallelSize(); chunk++) {
      chunks.add(new LinkedHashMap<>());
    }
    for (RankParameter parameter : parameters) {
      chunks.get(parameter.chunk()).put(parameter.key(), parameter.info());
    }
    Set<String> names = new LinkedHashSet<>();
    layout.ranks().forEach(each -> names.add(layout.rankName(each)));
    Set<OptimizerTensor> kinds = OptimizerTensors.kinds(optimizer);
    TrainingState.RankPlan plan =
        TrainingState.plan(
            commonState,
            layout.rankName(rank),
            names,
            chunks,
            kinds,
            layout.expertModelParallelSize() > 1
                || layout.expertTensorParallelSize() != layout.tensorModelParallelSize());
    RankState state = new RankState(plan.entries());
    plan.slots().forEach(slot -> state.slots.put(slot.tensor().name(), slot));
    Map<String, RankParameter> byKey = new LinkedHashMap<>();
    parameters.forEach(
        parameter -> byKey.put(parameter.chunk() + "/" + parameter.key(), parameter));
    for (OptimizerTensor kind : OptimizerTensor.values()) {
      Map<String, RankParameter> those = new LinkedHashMap<>();
      for (StateSlot slot : plan.slots()) {
        RankParameter parameter = byKey.get(slot.chunk() + "/" + slot.parameter());
        if (slot.kind() == kind && parameter != null) {
          those.put(slot.tensor().name(), parameter);
        }
      }
      TensorSource whole = OptimizerTensors.ofKind(kind, model, optimizer);
      state.parameters.put(kind, new RankTensorSource(whole, those));
    }
    return state;
  }

  /** In the order of the file. */
  Map<String, PickleObject> entries() {
    return entries;
  }

  @Override
  public List<TensorInfo> tensors() {
    return slots.values().stream().map(StateSlot::tensor).toList();
  }

  @Override
  public @Nullable TensorInfo find(String name) {
    StateSlot slot = slots.get(name);
    return slot == null ? null : slot.tensor();
  }

  @Override
  public void read(String name, long byteOffset, ByteBuffer target) throws IOException {
    StateSlot slot = slots.get(name);
    if (slot == null) {
      throw new IllegalArgumentException("no tensor named " + name);
    }
    TensorSource source = slot.kind() == null ? null : parameters.get(slot.kind());
    if (source != null) {
      source.read(name, byteOffset, target);
    } else if (slot.content() != null) {
      target.put(slot.content().toByteArray(), Math.toIntExact(byteOffset), target.remaining());
    }
  }

  @Override
  public void close() {}
}
