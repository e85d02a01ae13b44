package io.github.pretrain4j.dataset.preprocess;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;

/** JSONL files in the order in which they are read. */
public final class InputList {
  private final List<Path> files;
  private final long totalBytes;

  private InputList(List<Path> files, long totalBytes) {
    this.files = files;
    this.totalBytes = totalBytes;
  }

  /**
   * These files.
   *
   * @throws NoSuchFileException if one is missing or no file
   */
  public static InputList of(List<Path> files) throws IOException {
    long totalBytes = 0;
    for (Path file : files) {
      if (!Files.isRegularFile(file)) {
        throw new NoSuchFileException(
            file.toString(), null, Files.exists(file) ? "not a file" : "no such file");
      }
      totalBytes += Files.size(file);
    }
    return new InputList(List.copyOf(files), totalBytes);
  }

  /**
   * What these names stand for.
   *
   * @throws NoSuchFileException if there is no such file
   */
  public static InputList resolve(List<String> names) throws IOException {
    return of(names.stream().map(Path::of).toList());
  }

  /** Number of inputs. */
  public int size() {
    return files.size();
  }

  /** An input's file. */
  public Path file(int index) {
    return files.get(index);
  }

  /** Bytes of all files as they are. */
  public long totalBytes() {
    return totalBytes;
  }
}
