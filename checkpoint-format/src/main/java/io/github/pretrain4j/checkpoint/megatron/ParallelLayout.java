package io.github.pretrain4j.checkpoint.megatron;

import io.github.pretrain4j.checkpoint.CorruptCheckpointException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Over how many ranks a model is split, and which layers each pipeline chunk has.
 *
 * @param tensorModelParallelSize ranks that share every large matrix outside the experts
 * @param pipelineModelParallelSize pipeline stages
 * @param virtualPipelineModelParallelSize chunks of layers on each stage; 1 without a virtual
 *     pipeline
 * @param expertModelParallelSize groups that the experts of a layer are dealt out to
 * @param expertTensorParallelSize ranks that share the matrices of one expert
 * @param layersOfChunks number of layers of each chunk in the order of the layers: chunk {@code v}
 *     of stage {@code p} is at {@code v x pipelineModelParallelSize + p}. Empty if the layers split
 *     evenly
 */
public record ParallelLayout(
    int tensorModelParallelSize,
    int pipelineModelParallelSize,
    int virtualPipelineModelParallelSize,
    int expertModelParallelSize,
    int expertTensorParallelSize,
    List<Integer> layersOfChunks) {
  /** More ranks than any file name has digits for. */
  private static final int MAX_SIZE = 1000;

  private static final Pattern TENSOR_RANK = Pattern.compile("mp_rank_(\\d+).*");

  /**
   * Validates the sizes.
   *
   * @throws IllegalArgumentException if a size is not in 1..1000, or there is not one number of
   *     layers for every chunk
   */
  public ParallelLayout {
    requireSize("tensorModelParallelSize", tensorModelParallelSize);
    requireSize("pipelineModelParallelSize", pipelineModelParallelSize);
    requireSize("virtualPipelineModelParallelSize", virtualPipelineModelParallelSize);
    requireSize("expertModelParallelSize", expertModelParallelSize);
    requireSize("expertTensorParallelSize", expertTensorParallelSize);
    layersOfChunks = List.copyOf(layersOfChunks);
    int chunks = pipelineModelParallelSize * virtualPipelineModelParallelSize;
    if (!layersOfChunks.isEmpty() && layersOfChunks.size() != chunks) {
      throw new IllegalArgumentException(
          "layers " + layersOfChunks + " for " + chunks + " pipeline chunks");
    }
    for (int layers : layersOfChunks) {
      if (layers < 0) {
        throw new IllegalArgumentException("negative number of layers in " + layersOfChunks);
      }
    }
  }

  /** Tensor and pipeline parallel, the layers evenly, experts split as the rest is. */
  public static ParallelLayout of(int tensorModelParallelSize, int pipelineModelParallelSize) {
    return new ParallelLayout(
        tensorModelParallelSize,
        pipelineModelParallelSize,
        1,
        1,
        tensorModelParallelSize,
        List.of());
  }

  /** The same with so many chunks of layers on each stage, evenly. */
  public ParallelLayout withVirtualPipeline(int virtualPipelineModelParallelSize) {
    return new ParallelLayout(
        tensorModelParallelSize,
        pipelineModelParallelSize,
        virtualPipelineModelParallelSize,
        expertModelParallelSize,
        expertTensorParallelSize,
        List.of());
  }

  /** The same with the experts dealt out to so many groups. */
  public ParallelLayout withExpertParallel(int expertModelParallelSize) {
    return new ParallelLayout(
        tensorModelParallelSize,
        pipelineModelParallelSize,
        virtualPipelineModelParallelSize,
        expertModelParallelSize,
        expertTensorParallelSize,
        layersOfChunks);
  }

  /** The same with every expert's matrices shared by so many ranks. */
  public ParallelLayout withExpertTensorParallel(int expertTensorParallelSize) {
    return new ParallelLayout(
        tensorModelParallelSize,
        pipelineModelParallelSize,
        virtualPipelineModelParallelSize,
        expertModelParallelSize,
        expertTensorParallelSize,
        layersOfChunks);
  }

  /** The same with these numbers of layers; empty for an even split. */
  public ParallelLayout withLayersOfChunks(List<Integer> layersOfChunks) {
    return new ParallelLayout(
        tensorModelParallelSize,
        pipelineModelParallelSize,
        virtualPipelineModelParallelSize,
        expertModelParallelSize,
        expertTensorParallelSize,
        layersOfChunks);
  }

  private static void requireSize(String name, int size) {
    if (size < 1 || size > MAX_SIZE) {
      throw new IllegalArgumentException(name + " " + size + " is not in 1.." + MAX_SIZE);
    }
  }

  /** The layout that {@code arguments} state, or failing that the directories; both must agree. */
  static ParallelLayout of(CheckpointDirectory directory, Map<String, @Nullable Object> arguments)
      throws IOException {
    Path path = directory.iterationDirectory();
    for (String unsupported :
        List.of("expert_model_parallel_size", "virtual_pipeline_model_parallel_size")) {
      if (arguments.get(unsupported) instanceof Long size && size > 1) {
        throw new CorruptCheckpointException(
            directory.firstFile(), 0, "args." + unsupported, "1 (nothing else can be read)", size);
      }
    }
    List<String> ranks = directory.ranks();
    long tensor =
        ranks.stream().map(name -> TENSOR_RANK.matcher(name).replaceFirst("$1")).distinct().count();
    long pipeline = Math.max(1, ranks.size() / tensor);
    if (arguments.get("tensor_model_parallel_size") instanceof Long size) {
      tensor = size;
    }
    if (arguments.get("pipeline_model_parallel_size") instanceof Long size) {
      pipeline = size;
    }
    if (tensor < 1 || tensor > MAX_SIZE || pipeline < 1 || pipeline > MAX_SIZE) {
      throw new CorruptCheckpointException(
          directory.firstFile(),
          0,
          "args",
          "parallel sizes in 1.." + MAX_SIZE,
          tensor + " x " + pipeline);
    }
    ParallelLayout layout = ParallelLayout.of((int) tensor, (int) pipeline);
    TreeSet<String> expected = new TreeSet<>();
    for (int p = 0; p < pipeline; p++) {
      for (int t = 0; t < tensor; t++) {
        expected.add(layout.rankName(t, p));
      }
    }
    if (!expected.equals(new TreeSet<>(ranks))) {
      throw new CorruptCheckpointException(
          path,
          0,
          "ranks",
          "the directories " + String.join(", ", expected),
          ranks.stream().collect(Collectors.joining(", ")));
    }
    return layout;
  }

  String rankName(int tensorRank, int pipelineRank) {
    return pipelineModelParallelSize == 1
        ? String.format(Locale.ROOT, "mp_rank_%02d", tensorRank)
        : String.format(Locale.ROOT, "mp_rank_%02d_%03d", tensorRank, pipelineRank);
  }

  Path file(Path iterationDirectory, int tensorRank, int pipelineRank) {
    return iterationDirectory
        .resolve(rankName(tensorRank, pipelineRank))
        .resolve(CheckpointDirectory.FILE);
  }
}
