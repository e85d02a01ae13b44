package io.github.pretrain4j.checkpoint.megatron;

import io.github.pretrain4j.checkpoint.CorruptCheckpointException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.OptionalLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * The directory of one iteration, found from what a user names.
 *
 * @param ranks the names of its {@code mp_rank_…} children, sorted; none in a distributed
 *     checkpoint
 */
record CheckpointDirectory(Path iterationDirectory, List<String> ranks, CheckpointFormat format) {
  static final String TRACKER = "latest_checkpointed_iteration.txt";
  static final String RELEASE = "release";
  static final String FILE = "model_optim_rng.pt";

  private static final long MAX_TRACKER_BYTES = 64;
  private static final Pattern ITERATION = Pattern.compile("iter_(\\d{1,18})");
  private static final Pattern RANK = Pattern.compile("mp_rank_\\d{2,}(_\\d{3,}){0,2}");

  static CheckpointDirectory find(Path path) throws IOException {
    Path tracker = path.resolve(TRACKER);
    if (Files.isRegularFile(tracker)) {
      Path child = path.resolve(childName(tracker));
      if (!Files.isDirectory(child)) {
        throw new CorruptCheckpointException(
            tracker, 0, "iteration", "the name of a directory beside it", child.getFileName());
      }
      return of(child);
    }
    if (!Files.isDirectory(path)) {
      throw new CorruptCheckpointException(
          path, 0, "checkpoint", "a directory", Files.exists(path) ? "a file" : "nothing");
    }
    return of(path);
  }

  /** {@code iter_0001000}. */
  static String childName(long iteration) {
    return String.format(Locale.ROOT, "iter_%07d", iteration);
  }

  /** The directory that a tracker file names. */
  static String childName(Path tracker) throws IOException {
    long size = Files.size(tracker);
    if (size > MAX_TRACKER_BYTES) {
      throw new CorruptCheckpointException(
          tracker, 0, "size", "at most " + MAX_TRACKER_BYTES + " bytes", size);
    }
    String text = new String(Files.readAllBytes(tracker), StandardCharsets.UTF_8).strip();
    if (text.equals(RELEASE)) {
      return RELEASE;
    }
    if (!text.matches("[0-9]{1,18}")) {
      throw new CorruptCheckpointException(
          tracker, 0, "content", "an iteration or the word release", '"' + text + '"');
    }
    return childName(Long.parseLong(text));
  }

  private static CheckpointDirectory of(Path directory) throws IOException {
    List<String> ranks;
    try (Stream<Path> children = Files.list(directory)) {
      ranks =
          children
              .map(child -> child.getFileName().toString())
              .filter(name -> RANK.matcher(name).matches())
              .sorted()
              .toList();
    }
    if (TorchDistCheckpoint.isIn(directory)
        && (ranks.isEmpty() || Files.exists(directory.resolve("metadata.json")))) {
      return new CheckpointDirectory(directory, List.of(), CheckpointFormat.TORCH_DIST);
    }
    if (ranks.isEmpty()) {
      throw new CorruptCheckpointException(
          directory,
          0,
          "checkpoint",
          TRACKER + ", directories mp_rank_00… or a file .metadata",
          "none of them");
    }
    return new CheckpointDirectory(directory, ranks, CheckpointFormat.TORCH);
  }

  boolean isRelease() {
    return iterationDirectory.toAbsolutePath().normalize().endsWith(RELEASE);
  }

  /** What the directory's name says, {@code iter_0001000}; empty if it is another name. */
  OptionalLong iteration() {
    Matcher name =
        ITERATION.matcher(
            String.valueOf(iterationDirectory.toAbsolutePath().normalize().getFileName()));
    return name.matches() ? OptionalLong.of(Long.parseLong(name.group(1))) : OptionalLong.empty();
  }

  /** The file of the first rank. */
  Path firstFile() {
    return iterationDirectory.resolve(ranks.get(0)).resolve(FILE);
  }
}
