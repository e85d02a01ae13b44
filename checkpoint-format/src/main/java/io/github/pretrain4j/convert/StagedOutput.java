package io.github.pretrain4j.convert;

import io.github.pretrain4j.checkpoint.DurableFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** A directory that appears complete or not at all: filled as a sibling, then renamed. */
final class StagedOutput implements AutoCloseable {
  private final Path output;
  private final Path partial;

  /**
   * Prepares for {@code output}, which {@link #problem} has passed. What an earlier run left of the
   * sibling goes.
   */
  StagedOutput(Path output) throws IOException {
    this.output = DurableFiles.followed(output);
    Path parent = Objects.requireNonNull(this.output.getParent(), "a root cannot be an output");
    Files.createDirectories(parent);
    this.partial = DurableFiles.partial(this.output, ".partial");
    deleteTree(partial);
  }

  /** Why nothing can be written to {@code output}, or null. */
  static @Nullable String problem(Path output) throws IOException {
    if (output.toAbsolutePath().normalize().getFileName() == null) {
      return "the output cannot be the root of a file system";
    }
    if (!Files.exists(output)) {
      return Files.isSymbolicLink(output)
          ? "the output " + output + " is a symbolic link to nothing"
          : null;
    }
    if (!Files.isDirectory(output)) {
      return "the output " + output + " exists and is no directory";
    }
    try (Stream<Path> children = Files.list(output)) {
      return children.findAny().isPresent()
          ? "the output " + output + " exists and is not empty"
          : null;
    }
  }

  /** Where to write. */
  Path directory() {
    return partial;
  }

  /** The files written, relative, with their sizes. */
  Map<String, Long> files() throws IOException {
    Map<String, Long> files = new TreeMap<>();
    List<Path> paths;
    try (Stream<Path> tree = Files.walk(partial)) {
      paths = tree.filter(Files::isRegularFile).toList();
    }
    for (Path path : paths) {
      files.put(partial.relativize(path).toString().replace('\\', '/'), Files.size(path));
    }
    return files;
  }

  /** Makes it visible. */
  void publish() throws IOException {
    DurableFiles.publish(partial, output);
  }

  @Override
  public void close() throws IOException {
    deleteTree(partial);
  }

  private static void deleteTree(Path directory) throws IOException {
    if (!Files.exists(directory)) {
      return;
    }
    List<Path> paths;
    try (Stream<Path> tree = Files.walk(directory)) {
      paths = tree.sorted(Comparator.reverseOrder()).toList();
    }
    for (Path path : paths) {
      Files.delete(path);
    }
  }
}
