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

/** Over how many ranks a model is split, and how their directories are called. */
record ParallelLayout(int tensorModelParallelSize, int pipelineModelParallelSize) {
  /** More ranks than any file name has digits for. */
  private static final int MAX_SIZE = 1000;

  private static final Pattern TENSOR_RANK = Pattern.compile("mp_rank_(\\d+).*");

  ParallelLayout {
    requireSize("tensorModelParallelSize", tensorModelParallelSize);
    requireSize("pipelineModelParallelSize", pipelineModelParallelSize);
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
    ParallelLayout layout = new ParallelLayout((int) tensor, (int) pipeline);
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
