package io.github.pretrain4j.convert;

import io.github.pretrain4j.checkpoint.DurableFiles;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * A directory that appears complete or not at all: filled as a sibling, then renamed.
 *
 * <p>A run that is killed leaves the sibling, with the fingerprint of what was being made; a run
 * with the same fingerprint goes on there. A run that fails takes it away.
 */
final class StagedOutput implements AutoCloseable {
  private static final String FINGERPRINT = ".conversion";
  private static final String JOURNAL = ".journal";
  private static final List<String> OURS = List.of(FINGERPRINT, JOURNAL);

  private final Path output;
  private final Path partial;
  private final FileChannel lock;
  private final String fingerprint;

  /**
   * Prepares for {@code output}, which {@link #problem} has passed. What an earlier run left of the
   * sibling stays if its fingerprint is the same, and goes otherwise.
   *
   * @throws FileAlreadyExistsException if another run is filling the sibling
   */
  StagedOutput(Path output, String fingerprint) throws IOException {
    this.output = DurableFiles.followed(output);
    this.fingerprint = fingerprint;
    Path parent = Objects.requireNonNull(this.output.getParent(), "a root cannot be an output");
    Files.createDirectories(parent);
    this.partial = DurableFiles.partial(this.output, ".partial");
    Path file = partial.resolve(FINGERPRINT);
    byte[] expected = fingerprint.getBytes(StandardCharsets.UTF_8);
    if (!Files.isDirectory(partial)) {
      deleteTree(partial);
      Files.createDirectory(partial);
    }
    // The fingerprint's file is also what locks; so it is never replaced, only rewritten.
    this.lock =
        FileChannel.open(
            file, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE);
    try {
      claim(file, expected);
    } catch (IOException | RuntimeException e) {
      lock.close();
      throw e;
    }
  }

  private void claim(Path file, byte[] fingerprint) throws IOException {
    boolean locked;
    try {
      locked = lock.tryLock() != null;
    } catch (OverlappingFileLockException e) {
      locked = false;
    }
    if (!locked) {
      throw new FileAlreadyExistsException(
          partial.toString(), null, "another conversion is writing there");
    }
    if (Arrays.equals(Files.readAllBytes(file), fingerprint)) {
      return;
    }
    for (Path child : children()) {
      if (!child.equals(file)) {
        deleteTree(child);
      }
    }
    lock.truncate(0);
    lock.write(ByteBuffer.wrap(fingerprint), 0);
    lock.force(true);
    DurableFiles.flushDirectory(partial);
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

  /** What is being made. */
  String fingerprint() {
    return fingerprint;
  }

  /** Where to keep the record of what is finished. */
  Path journal() {
    return partial.resolve(JOURNAL);
  }

  /** The files written, relative, with their sizes. */
  Map<String, Long> files() throws IOException {
    Map<String, Long> files = new TreeMap<>();
    List<Path> paths;
    try (Stream<Path> tree = Files.walk(partial)) {
      paths = tree.filter(Files::isRegularFile).toList();
    }
    for (Path path : paths) {
      String name = partial.relativize(path).toString().replace('\\', '/');
      if (!OURS.contains(name)) {
        files.put(name, Files.size(path));
      }
    }
    return files;
  }

  /** Makes it visible. */
  void publish() throws IOException {
    lock.close();
    for (String name : OURS) {
      Files.deleteIfExists(partial.resolve(name));
    }
    DurableFiles.publish(partial, output);
  }

  @Override
  public void close() throws IOException {
    lock.close();
    deleteTree(partial);
  }

  private List<Path> children() throws IOException {
    try (Stream<Path> children = Files.list(partial)) {
      return children.toList();
    }
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
