package io.github.pretrain4j.checkpoint.megatron;

import io.github.pretrain4j.checkpoint.CorruptCheckpointException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeSet;
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

  /**
   * The sizes that {@code arguments} state, or failing that the directories; both must agree.
   *
   * @param wholeStages whether the first file holds the model from its embedding to its last norm,
   *     so that a second number in the directories' names is an expert rank
   */
  static ParallelLayout of(
      CheckpointDirectory directory, Map<String, @Nullable Object> arguments, boolean wholeStages)
      throws CorruptCheckpointException {
    List<String> names = directory.ranks();
    int numbers = names.get(0).split("_", -1).length - 2;
    int[] largest = new int[3];
    for (String name : names) {
      String[] parts = name.split("_", -1);
      for (int i = 2; i < Math.min(parts.length, 5); i++) {
        largest[i - 2] = Math.max(largest[i - 2], Integer.parseInt(parts[i]));
      }
    }
    boolean secondIsExpert =
        numbers == 2 && size(arguments, "pipeline_model_parallel_size", wholeStages ? 1 : 2) == 1;
    long tensor = size(arguments, "tensor_model_parallel_size", largest[0] + 1);
    long pipeline =
        size(arguments, "pipeline_model_parallel_size", secondIsExpert ? 1 : largest[1] + 1);
    long expert =
        size(
            arguments,
            "expert_model_parallel_size",
            secondIsExpert ? largest[1] + 1 : largest[2] + 1);
    long expertTensor = size(arguments, "expert_tensor_parallel_size", tensor);
    for (long size : List.of(tensor, pipeline, expert, expertTensor)) {
      if (size < 1 || size > MAX_SIZE) {
        throw new CorruptCheckpointException(
            directory.firstFile(),
            0,
            "args",
            "parallel sizes in 1.." + MAX_SIZE,
            tensor + " x " + pipeline + " x " + expert + " x " + expertTensor);
      }
    }
    if (tensor % expertTensor != 0) {
      throw new CorruptCheckpointException(
          directory.firstFile(),
          0,
          "args.expert_tensor_parallel_size",
          "a divisor of the tensor parallel size " + tensor,
          expertTensor);
    }
    ParallelLayout layout =
        new ParallelLayout(
            (int) tensor, (int) pipeline, 1, (int) expert, (int) expertTensor, List.of());
    layout.checkDirectories(directory);
    return layout;
  }

  private static long size(Map<String, @Nullable Object> arguments, String name, long otherwise) {
    return arguments.get(name) instanceof Long size ? size : otherwise;
  }

  private void checkDirectories(CheckpointDirectory directory) throws CorruptCheckpointException {
    TreeSet<String> expected = new TreeSet<>();
    ranks().forEach(rank -> expected.add(rankName(rank)));
    TreeSet<String> allowed = new TreeSet<>();
    for (int p = 0; p < pipelineModelParallelSize; p++) {
      for (int t = 0; t < tensorModelParallelSize; t++) {
        for (int e = 0; e < expertModelParallelSize; e++) {
          allowed.add(rankName(new Rank(t, p, e)));
        }
      }
    }
    if (!directory.ranks().containsAll(expected) || !allowed.containsAll(directory.ranks())) {
      throw new CorruptCheckpointException(
          directory.iterationDirectory(),
          0,
          "ranks",
          "the directories " + String.join(", ", expected),
          String.join(", ", directory.ranks()));
    }
  }

  /**
   * The ranks that have files, by pipeline stage, then expert rank, then tensor rank. Where experts
   * are split over fewer ranks than the rest, a tensor rank and an expert rank need not meet.
   */
  List<Rank> ranks() {
    int experts = expertTensorParallelSize * expertModelParallelSize;
    TreeSet<Rank> ranks = new TreeSet<>();
    for (int p = 0; p < pipelineModelParallelSize; p++) {
      for (int r = 0; r < Math.max(tensorModelParallelSize, experts); r++) {
        ranks.add(
            new Rank(
                r % tensorModelParallelSize,
                p,
                r / expertTensorParallelSize % expertModelParallelSize));
      }
    }
    return List.copyOf(ranks);
  }

  /** The rank whose directory has that name, if it is one of this layout. */
  Rank rankOf(String name) {
    for (int p = 0; p < pipelineModelParallelSize; p++) {
      for (int e = 0; e < expertModelParallelSize; e++) {
        for (int t = 0; t < tensorModelParallelSize; t++) {
          Rank rank = new Rank(t, p, e);
          if (rankName(rank).equals(name)) {
            return rank;
          }
        }
      }
    }
    throw new IllegalArgumentException("no rank " + name + " in " + this);
  }

  String rankName(Rank rank) {
    StringBuilder name =
        new StringBuilder(String.format(Locale.ROOT, "mp_rank_%02d", rank.tensor()));
    if (pipelineModelParallelSize > 1) {
      name.append(String.format(Locale.ROOT, "_%03d", rank.pipeline()));
    }
    if (expertModelParallelSize > 1) {
      name.append(String.format(Locale.ROOT, "_%03d", rank.expert()));
    }
    return name.toString();
  }

  Path file(Path iterationDirectory, Rank rank) {
    return iterationDirectory.resolve(rankName(rank)).resolve(CheckpointDirectory.FILE);
  }
}
