package io.github.pretrain4j.checkpoint.megatron;

import io.github.pretrain4j.checkpoint.PickleObject;
import io.github.pretrain4j.checkpoint.TensorInfo;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The entry {@code optimizer} of one rank's file, as Megatron writes it without its distributed
 * optimizer, and where its tensors come from.
 *
 * @param entry a dictionary, or a list of two where experts have an optimizer of their own
 * @param slots its tensors, in the order of the entry
 */
record OptimizerShardPlan(PickleObject entry, List<Slot> slots) {
  /**
   * A tensor of the entry.
   *
   * @param tensor its name is the storage key, which starts with {@code optimizer/}
   * @param kind what it is; null for a number, whose {@code value} is all there is
   * @param chunk index of the model chunk of the parameter
   * @param parameter the key of the parameter in the chunk's dictionary, dots between levels
   * @param value the value of a number (fp32)
   */
  record Slot(
      TensorInfo tensor,
      @Nullable OptimizerTensor kind,
      int chunk,
      String parameter,
      float value) {}

  /**
   * Lays the entry out.
   *
   * @param chunks for each model chunk of the rank its parameters (this rank's part): the key in
   *     the dictionary, in the dictionary's order. Buffers and extra states may be among them
   * @param kinds the kinds of tensors there are
   * @param expertsApart whether experts have an optimizer of their own: with expert parallelism, or
   *     when they are split over other tensor ranks than the rest
   */
  static OptimizerShardPlan of(
      OptimizerSettings settings,
      List<Map<String, TensorInfo>> chunks,
      Set<OptimizerTensor> kinds,
      boolean expertsApart) {
    throw new UnsupportedOperationException();
  }
}
