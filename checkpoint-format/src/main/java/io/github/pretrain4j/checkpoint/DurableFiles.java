package io.github.pretrain4j.checkpoint;

import java.io.File;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;

/** Files and directories that are wholly there after a crash, or not at all. */
public final class DurableFiles {
  private DurableFiles() {}

  /**
   * Replaces {@code file}: writes beside it, flushes to disk, renames, flushes the directory.
   *
   * @throws CheckpointWriteException if the bytes cannot be written
   */
  public static void write(Path file, ByteBuffer content) throws IOException {
    try (FileOutput out = FileOutput.create(file)) {
      out.write(content);
      out.commit();
    }
  }

  /** Flushes the names in {@code directory} to disk, on systems where a directory can be opened. */
  public static void flushDirectory(Path directory) throws IOException {
    if (File.separatorChar == '/') { // Windows does not open directories as files, nor needs it
      try (FileChannel channel = FileChannel.open(directory, StandardOpenOption.READ)) {
        channel.force(true);
      }
    }
  }

  /** Where a directory named so really is or will be: a symbolic link is followed, not replaced. */
  public static Path followed(Path directory) throws IOException {
    Path absolute = directory.toAbsolutePath().normalize();
    return Files.isSymbolicLink(absolute) ? absolute.toRealPath() : absolute;
  }

  /**
   * The sibling in which a directory is prepared.
   *
   * @throws FileAlreadyExistsException if somebody has put a symbolic link there
   */
  public static Path partial(Path directory, String suffix) throws IOException {
    Path partial = directory.resolveSibling("." + directory.getFileName() + suffix);
    if (Files.isSymbolicLink(partial)) {
      throw new FileAlreadyExistsException(
          partial.toString(), null, "a symbolic link, which is not ours to replace");
    }
    return partial;
  }

  /** Renames a complete directory to one that is absent or empty, and flushes that to disk. */
  public static void publish(Path partial, Path directory) throws IOException {
    flushDirectory(partial);
    // A rename replaces an empty directory on POSIX systems; elsewhere it must go first.
    Files.deleteIfExists(directory);
    Files.move(partial, directory, StandardCopyOption.ATOMIC_MOVE);
    flushDirectory(directory.resolveSibling(""));
  }
}
