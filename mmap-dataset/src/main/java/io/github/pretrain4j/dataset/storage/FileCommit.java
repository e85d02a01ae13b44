package io.github.pretrain4j.dataset.storage;

import java.io.File;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * Makes sealed files appear together: all of them or, after a failure, those that were there
 * before.
 *
 * <p>The last file of the list is the one that makes the others visible (an {@code .idx}). The
 * steps are: move away the old files, last one first; move in the new files in order; flush the
 * directory; delete the old files. A failure undoes what was done. A process killed in between
 * leaves no last file, so a dataset is complete or absent, never a new {@code .bin} under an old
 * {@code .idx}; the old files then are still there as {@code NAME.<random>.previous}.
 */
public final class FileCommit {
  /** Called before each step, so that tests can stop there. */
  @FunctionalInterface
  public interface StepListener {
    /** About to do this. */
    void before(String step) throws IOException;

    /** Lets every step happen. */
    StepListener NONE = step -> {};
  }

  private record Move(Path from, Path to) {
    void perform() throws IOException {
      Files.move(from, to, StandardCopyOption.ATOMIC_MOVE);
    }

    void undo() throws IOException {
      Files.move(to, from, StandardCopyOption.ATOMIC_MOVE);
    }
  }

  private final List<PendingFile> files;
  private final StepListener listener;
  private final Deque<Move> done = new ArrayDeque<>();

  private FileCommit(List<PendingFile> files, StepListener listener) {
    this.files = files;
    this.listener = listener;
  }

  /** Commits sealed files in this order. */
  public static void commit(List<PendingFile> files, StepListener listener) throws IOException {
    new FileCommit(files, listener).run();
  }

  /**
   * Moves sealed files in, in this order, over what is there: for files that others may be writing
   * at the same time, with the same content.
   */
  public static void replace(List<PendingFile> files) throws IOException {
    for (PendingFile file : files) {
      new Move(file.path(), file.target()).perform();
      file.moved();
    }
    flushDirectories(files);
  }

  private void run() throws IOException {
    Set<Path> previous = new LinkedHashSet<>();
    try {
      for (int i = files.size() - 1; i >= 0; i--) {
        PendingFile file = files.get(i);
        if (Files.exists(file.target())) {
          Path aside = Path.of(file.path().toString().replaceFirst("\\.partial$", ".previous"));
          step(new Move(file.target(), aside));
          previous.add(aside);
        }
      }
      for (PendingFile file : files) {
        step(new Move(file.path(), file.target()));
      }
      listener.before("flush directory");
      flushDirectories(files);
    } catch (IOException | RuntimeException | Error e) {
      undo(e);
      throw e;
    }
    for (PendingFile file : files) {
      file.moved();
    }
    for (Path file : previous) {
      listener.before("delete " + file);
      Files.delete(file);
    }
  }

  private void step(Move move) throws IOException {
    listener.before("move " + move.from() + " to " + move.to());
    move.perform();
    done.push(move);
  }

  private void undo(Throwable reason) {
    while (!done.isEmpty()) {
      try {
        done.pop().undo();
      } catch (IOException e) {
        reason.addSuppressed(e);
      }
    }
  }

  /** Makes the renames durable. Windows has no such call for a directory and needs none. */
  private static void flushDirectories(List<PendingFile> files) throws IOException {
    if (File.separatorChar == '\\') {
      return;
    }
    Set<Path> directories = new LinkedHashSet<>();
    for (PendingFile file : files) {
      directories.add(file.target().toAbsolutePath().resolveSibling("."));
    }
    for (Path directory : directories) {
      try (FileChannel channel = FileChannel.open(directory, StandardOpenOption.READ)) {
        channel.force(true);
      }
    }
  }
}
