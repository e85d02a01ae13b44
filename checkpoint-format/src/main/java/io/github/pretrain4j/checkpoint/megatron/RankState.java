package io.github.pretrain4j.checkpoint.megatron;

import io.github.pretrain4j.checkpoint.PickleObject;
import io.github.pretrain4j.checkpoint.TensorContent;
import io.github.pretrain4j.checkpoint.TensorInfo;
import io.github.pretrain4j.checkpoint.TensorSource;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.WritableByteChannel;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** What one rank's file holds of a training run beside the model, and the data of its tensors. */
final class RankState {
  private final Map<String, PickleObject> entries;
  private final Map<String, StateSlot> slots = new LinkedHashMap<>();
  private final Map<OptimizerTensor, TensorContent> contents = new EnumMap<>(OptimizerTensor.class);

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
    for (OptimizerTensor kind : OptimizerTensor.values()) {
      TensorSource whole = OptimizerTensors.ofKind(kind, model, optimizer);
      List<RankParameter> those =
          parameters.stream()
              .filter(parameter -> whole.find(parameter.pieces().get(0).whole()) != null)
              .toList();
      state.contents.put(
          kind, TensorContent.copyOf(new RankTensorSource(whole, name -> name, those)));
    }
    return state;
  }

  /** In the order of the file. */
  Map<String, PickleObject> entries() {
    return entries;
  }

  /** Whether a storage is one of these. */
  boolean has(String storageKey) {
    return slots.containsKey(storageKey);
  }

  /** Writes the data of a storage. */
  void write(TensorInfo tensor, WritableByteChannel out) throws IOException {
    StateSlot slot = slots.get(tensor.name());
    if (slot == null) {
      throw new IllegalArgumentException("no content for " + tensor);
    }
    TensorContent content = slot.kind() == null ? null : contents.get(slot.kind());
    if (content != null) {
      content.write(tensor.withName(slot.chunk() + "/" + slot.parameter()), out);
    } else if (slot.content() != null) {
      out.write(ByteBuffer.wrap(slot.content().toByteArray()));
    }
  }
}
