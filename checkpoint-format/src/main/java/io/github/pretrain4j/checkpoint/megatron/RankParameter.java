package io.github.pretrain4j.checkpoint.megatron;

import io.github.pretrain4j.checkpoint.TensorInfo;
import java.util.List;

/**
 * A parameter as one rank's file has it: shards of whole tensors, packed one after another. All but
 * the parameters that hold several experts have one.
 *
 * @param chunk number of the model chunk on this rank; 0 without a virtual pipeline
 * @param info under the key in the model's dictionary; nested keys are joined by dots
 * @param pieces in the order of the data
 */
record RankParameter(int chunk, TensorInfo info, List<Piece> pieces) {
  /**
   * One rank's shard of a whole tensor.
   *
   * @param whole canonical name, layers and experts numbered through the model
   * @param rank which of the {@code ranks} shards; 0 if the tensor is on every rank
   * @param shape of the shard, the way round that the whole tensor has
   * @param transposed whether the data is the transpose of that
   */
  record Piece(
      String whole, ShardRule rule, int rank, int ranks, List<Long> shape, boolean transposed) {
    Piece {
      shape = List.copyOf(shape);
    }

    long elementCount() {
      long count = 1;
      for (long size : shape) {
        count *= size;
      }
      return count;
    }
  }

  RankParameter {
    pieces = List.copyOf(pieces);
  }

  String key() {
    return info.name();
  }
}
