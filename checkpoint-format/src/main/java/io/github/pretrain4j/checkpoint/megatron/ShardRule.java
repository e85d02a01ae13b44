package io.github.pretrain4j.checkpoint.megatron;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.LongUnaryOperator;
import java.util.regex.Pattern;

/** How a tensor is split over the tensor parallel ranks. */
enum ShardRule {
  REPLICATED,
  ROWS,
  /** Two halves of rows, gate and up; each rank has its share of both. */
  GATED_ROWS,
  COLUMNS;

  private static final String LAYER =
      "(?:decoder\\.layers\\.\\d+|mtp\\.layers\\.\\d+\\.transformer_layer)\\.";
  private static final String MLP =
      LAYER + "mlp\\.(?:shared_experts\\.|experts\\.local_experts\\.\\d+\\.)?";
  private static final String ATTENTION = LAYER + "self_attention\\.";

  private static final Pattern REPLICATED_NAMES =
      Pattern.compile(
          "embedding\\.position_embeddings\\.weight"
              + "|decoder\\.final_layernorm\\.(weight|bias)"
              + "|mtp\\.layers\\.\\d+\\.(enorm|hnorm|final_layernorm)\\.(weight|bias)|"
              + LAYER
              + "(input_layernorm|pre_mlp_layernorm)\\.(weight|bias)|"
              + ATTENTION
              + "(q|k|kv)_layernorm\\.(weight|bias)|"
              + LAYER
              + "mlp\\.(router\\.(weight|expert_bias)|shared_experts\\.gate_weight)|"
              + ATTENTION
              + "linear_proj\\.bias|"
              + MLP
              + "linear_fc2\\.bias");
  private static final Pattern ROW_NAMES =
      Pattern.compile(
          "embedding\\.word_embeddings\\.weight|output_layer\\.weight"
              + "|mtp\\.layers\\.\\d+\\.eh_proj\\.weight|"
              + ATTENTION
              + "linear_(qkv|q_proj|q_up_proj|kv_up_proj)\\.(weight|bias)");
  private static final Pattern DOWN_NAMES =
      Pattern.compile(ATTENTION + "linear_(q|kv)_down_proj\\.weight");
  private static final Pattern FC1_NAMES = Pattern.compile(MLP + "linear_fc1\\.(weight|bias)");
  private static final Pattern COLUMN_NAMES =
      Pattern.compile(ATTENTION + "linear_proj\\.weight|" + MLP + "linear_fc2\\.weight");

  /**
   * The rule for a tensor, empty if its name is none that a decoder has.
   *
   * @param gated whether the first layer of its MLP has a gate half
   * @param splitDown whether the down projections of latent attention are split by rows, as the
   *     local layer specification does
   */
  static Optional<ShardRule> of(String name, boolean gated, boolean splitDown) {
    if (REPLICATED_NAMES.matcher(name).matches()) {
      return Optional.of(REPLICATED);
    }
    if (ROW_NAMES.matcher(name).matches()) {
      return Optional.of(ROWS);
    }
    if (DOWN_NAMES.matcher(name).matches()) {
      return Optional.of(splitDown ? ROWS : REPLICATED);
    }
    if (FC1_NAMES.matcher(name).matches()) {
      return Optional.of(gated ? GATED_ROWS : ROWS);
    }
    if (COLUMN_NAMES.matcher(name).matches()) {
      return Optional.of(COLUMNS);
    }
    return Optional.empty();
  }

  static boolean isFirstMlpLayer(String name) {
    return FC1_NAMES.matcher(name).matches();
  }

  static boolean isDownProjection(String name) {
    return DOWN_NAMES.matcher(name).matches();
  }

  /** Shape of the whole tensor from that of one shard. */
  List<Long> whole(List<Long> shard, int ranks) {
    return scaled(shard, size -> Math.multiplyExact(size, (long) ranks));
  }

  /** Shape of a shard, which {@link #splits} allows. */
  List<Long> shard(List<Long> whole, int ranks) {
    return scaled(whole, size -> size / ranks);
  }

  private List<Long> scaled(List<Long> shape, LongUnaryOperator scale) {
    List<Long> result = new ArrayList<>(shape);
    if (this != REPLICATED) {
      int axis = this == COLUMNS ? 1 : 0;
      result.set(axis, scale.applyAsLong(result.get(axis)));
    }
    return result;
  }

  /** Whether a tensor of this shape, whole or a shard, has the axis that the rule splits. */
  boolean fits(List<Long> shape) {
    return this == REPLICATED
        || (shape.size() >= (this == COLUMNS ? 2 : 1)
            && (this != GATED_ROWS || shape.get(0) % 2 == 0));
  }

  /** Whether a whole tensor of this shape splits evenly. */
  boolean splits(List<Long> whole, int ranks) {
    return fits(whole)
        && switch (this) {
          case REPLICATED -> true;
          case ROWS -> whole.get(0) % ranks == 0;
          case GATED_ROWS -> whole.get(0) % (2L * ranks) == 0;
          case COLUMNS -> whole.get(1) % ranks == 0;
        };
  }
}
