package io.github.pretrain4j.checkpoint.huggingface;

import io.github.pretrain4j.checkpoint.TensorInfo;
import java.util.ArrayList;
import java.util.List;

/** Deals tensors out to shards, in the order given. */
final class ShardPlan {
  private ShardPlan() {}

  /** The shards in order, none empty. */
  static List<List<TensorInfo>> of(List<TensorInfo> tensors, ShardRule rule) {
    return rule instanceof ShardRule.Count count
        ? byCount(tensors, count.shards())
        : bySize(tensors, ((ShardRule.MaxSize) rule).bytes());
  }

  /**
   * A tensor goes to the shard in whose share of all bytes its middle falls, moved so that no shard
   * stays empty.
   */
  private static List<List<TensorInfo>> byCount(List<TensorInfo> tensors, int shardCount) {
    if (shardCount > tensors.size()) {
      throw new IllegalArgumentException(shardCount + " shards for " + tensors.size() + " tensors");
    }
    double total = Math.max(1, tensors.stream().mapToLong(TensorInfo::byteCount).sum());
    List<List<TensorInfo>> shards = new ArrayList<>();
    double before = 0;
    for (int i = 0; i < tensors.size(); i++) {
      TensorInfo tensor = tensors.get(i);
      int share = (int) ((before + tensor.byteCount() / 2.0) / total * shardCount);
      before += tensor.byteCount();
      int remaining = tensors.size() - i;
      boolean mustStart = shardCount - shards.size() >= remaining;
      if (shards.isEmpty() || mustStart || (share >= shards.size() && shards.size() < shardCount)) {
        shards.add(new ArrayList<>());
      }
      shards.get(shards.size() - 1).add(tensor);
    }
    return shards;
  }

  /**
   * The algorithm of huggingface_hub: a tensor too large for any shard becomes one at once, ahead
   * of the current one.
   */
  private static List<List<TensorInfo>> bySize(List<TensorInfo> tensors, long maxBytes) {
    List<List<TensorInfo>> shards = new ArrayList<>();
    List<TensorInfo> current = new ArrayList<>();
    long currentBytes = 0;
    for (TensorInfo tensor : tensors) {
      long bytes = tensor.byteCount();
      if (bytes > maxBytes) {
        shards.add(List.of(tensor));
        continue;
      }
      if (currentBytes + bytes > maxBytes) {
        shards.add(current);
        current = new ArrayList<>();
        currentBytes = 0;
      }
      current.add(tensor);
      currentBytes += bytes;
    }
    if (!current.isEmpty()) {
      shards.add(current);
    }
    return shards;
  }
}
