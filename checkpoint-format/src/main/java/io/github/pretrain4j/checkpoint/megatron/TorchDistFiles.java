package io.github.pretrain4j.checkpoint.megatron;

import io.github.pretrain4j.checkpoint.PickleObject;
import io.github.pretrain4j.checkpoint.PlannedFile;
import io.github.pretrain4j.checkpoint.TensorContent;
import io.github.pretrain4j.checkpoint.TensorSource;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Plans the files of a Megatron checkpoint of the {@code torch_dist} format. */
public final class TorchDistFiles {
  private TorchDistFiles() {}

  /**
   * What is not sharded.
   *
   * @param entries beside {@code args}: {@code iteration}, {@code checkpoint_version}, {@code
   *     opt_param_scheduler}, {@code optimizer} (for one optimizer {@code {"param_groups": […],
   *     "state": {…}}} without the big tensors), …
   * @param tensors the data of tensors in them, by storage key
   */
  public record CommonState(Map<String, PickleObject> entries, TensorContent tensors) {}

  /**
   * How to write.
   *
   * @param layerSpec whose names the norms of expert layers take; all else is alike
   * @param layerAxis true: one tensor for all layers with the layer in front, what Megatron reads
   *     for models whose layers are alike; false: the layer's number in the key, for mixed layers
   * @param files how many data files share the tensors
   */
  public record Options(LayerSpec layerSpec, boolean layerAxis, int files) {}

  /**
   * Plans everything below the {@code iter_…} or {@code release} directory, in the order in which
   * the files may become visible. One chunk for each layer and expert.
   *
   * @param model whole tensors under canonical names
   * @param optimizer {@code optimizer.state.…} tensors under canonical names, or null
   * @param arguments the attributes of {@code args}
   * @throws IllegalArgumentException if tensors have names that are not canonical, or layers that
   *     should be alike are not; all problems are listed
   */
  public static List<PlannedFile> plan(
      TensorSource model,
      @Nullable TensorSource optimizer,
      Map<String, ? extends @Nullable Object> arguments,
      CommonState common,
      Options options) {
    throw new UnsupportedOperationException();
  }
}
