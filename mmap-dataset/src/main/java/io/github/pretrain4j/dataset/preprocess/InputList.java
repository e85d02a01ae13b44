package io.github.pretrain4j.dataset.preprocess;

import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystems;
import java.nio.file.FileVisitOption;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.PathMatcher;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * JSONL inputs in the order in which they are read. What ends with {@code .gz} or {@code .zst} is
 * decompressed on the way; the latter needs the zstd-jni library.
 */
public final class InputList {
  /** Stands for the standard input, which is read as it is and stays open. */
  public static final Path STANDARD_INPUT = Path.of("-");

  private static final int COPY_BYTES = 1 << 18;
  private static final int MAX_LINE_BYTES = 1 << 28;

  private static final Pattern GLOB = Pattern.compile("[*?\\[{]");
  private static final Pattern JSON_LINES = Pattern.compile(".*\\.jsonl?(\\.gz|\\.zst)?");

  private final List<Path> files;
  private final long totalBytes;

  private InputList(List<Path> files, long totalBytes) {
    this.files = files;
    this.totalBytes = totalBytes;
  }

  /**
   * These files.
   *
   * @throws NoSuchFileException if one is missing or a directory
   * @throws IllegalArgumentException if the standard input is there twice
   * @throws UnavailableException if one is compressed and the library for that is missing
   */
  public static InputList of(List<Path> files) throws IOException {
    long totalBytes = 0;
    int standardInputs = 0;
    for (Path file : files) {
      if (file.equals(STANDARD_INPUT)) {
        standardInputs++;
        continue;
      }
      if (!Files.exists(file) || Files.isDirectory(file)) {
        throw noSuchFile(file.toString(), Files.exists(file) ? "not a file" : "no such file");
      }
      if (Files.isRegularFile(file)) {
        totalBytes += Files.size(file);
      }
      if (file.toString().endsWith(".zst")) {
        ZstdInput.requireAvailable(file);
      }
    }
    if (standardInputs > 1) {
      throw new IllegalArgumentException("the standard input, -, is given twice");
    }
    return new InputList(List.copyOf(files), totalBytes);
  }

  /**
   * What these names stand for, in their order. A name is
   *
   * <ul>
   *   <li>{@code -}: the standard input;
   *   <li>a file, or a pipe;
   *   <li>a directory: its files {@code *.jsonl} and {@code *.json}, also with {@code .gz} or
   *       {@code .zst} behind it, without those of its subdirectories;
   *   <li>a glob, as {@link java.nio.file.FileSystem#getPathMatcher} has them ({@code **} crosses
   *       directories): the files that match it.
   * </ul>
   *
   * <p>Files of a directory or a glob are sorted by the code points of their paths.
   *
   * @throws NoSuchFileException if a name stands for no file
   * @throws IllegalArgumentException if a glob has a wrong syntax, or as {@link #of}
   * @throws UnavailableException as {@link #of}
   */
  public static InputList resolve(List<String> names) throws IOException {
    List<Path> files = new ArrayList<>();
    for (String name : names) {
      Path path = existing(name);
      if (name.equals(STANDARD_INPUT.toString())) {
        files.add(STANDARD_INPUT);
      } else if (path != null && Files.isDirectory(path)) {
        files.addAll(inDirectory(path));
      } else if (path == null && GLOB.matcher(name).find()) {
        files.addAll(matching(name));
      } else {
        files.add(path == null ? Path.of(name) : path);
      }
    }
    return of(files);
  }

  private static @Nullable Path existing(String name) {
    try {
      Path path = Path.of(name);
      return Files.exists(path) ? path : null;
    } catch (InvalidPathException e) {
      return null; // some systems allow no glob characters in a path
    }
  }

  private static List<Path> inDirectory(Path directory) throws IOException {
    List<Path> found;
    try (Stream<Path> all = Files.list(directory)) {
      found =
          sorted(
              all.filter(
                  file ->
                      JSON_LINES.matcher(String.valueOf(file.getFileName())).matches()
                          && !Files.isDirectory(file)));
    }
    if (found.isEmpty()) {
      throw noSuchFile(
          directory.toString(), "no *.jsonl or *.json, nor .gz or .zst of these, in the directory");
    }
    return found;
  }

  private static List<Path> matching(String glob) throws IOException {
    var firstSpecial = GLOB.matcher(glob);
    int plain = firstSpecial.find() ? glob.lastIndexOf('/', firstSpecial.start()) + 1 : 0;
    String rest = glob.substring(plain);
    PathMatcher matcher = FileSystems.getDefault().getPathMatcher("glob:" + rest);
    Path directory = Path.of(glob.substring(0, plain));
    int depth =
        rest.contains("**") || rest.indexOf('{') >= 0
            ? Integer.MAX_VALUE
            : 1 + (int) rest.chars().filter(c -> c == '/').count();
    List<Path> found = List.of();
    if (Files.isDirectory(directory)) {
      try (Stream<Path> all = Files.walk(directory, depth, FileVisitOption.FOLLOW_LINKS)) {
        found =
            sorted(
                all.filter(
                    file ->
                        matcher.matches(directory.relativize(file)) && !Files.isDirectory(file)));
      } catch (UncheckedIOException e) {
        throw e.getCause();
      }
    }
    if (found.isEmpty()) {
      throw noSuchFile(glob, "no file matches");
    }
    return found;
  }

  /** By code point, which is the order of UTF-8 and not of UTF-16. */
  private static List<Path> sorted(Stream<Path> files) {
    return files.sorted((a, b) -> Arrays.compareUnsigned(utf8(a), utf8(b))).toList();
  }

  private static byte[] utf8(Path path) {
    return path.toString().getBytes(StandardCharsets.UTF_8);
  }

  private static NoSuchFileException noSuchFile(String name, String reason) {
    return new NoSuchFileException(name, null, reason);
  }

  /**
   * Writes the first lines of these inputs, decompressed, to a file.
   *
   * @param count how many; all, if there are fewer
   */
  public void copyLines(long count, Path to) throws IOException {
    LineBlock block = new LineBlock();
    long left = count;
    try (OutputStream out = Files.newOutputStream(to);
        LineBlockReader reader =
            new LineBlockReader(this, COPY_BYTES, MAX_LINE_BYTES, InputPosition.START, null)) {
      while (left > 0 && reader.next(block)) {
        int at = 0;
        boolean ended = true;
        while (left > 0 && at < block.length) {
          int end = block.lineEnd(at);
          ended = end < block.length;
          at = Math.min(block.length, block.nextLine(end));
          left--;
        }
        out.write(block.bytes, 0, at);
        if (!ended) {
          out.write('\n'); // the next input's first line is another line
        }
      }
    } catch (EncodedBlock.BlockFailure e) {
      throw new MalformedLineException(
          block.file, 1, block.byteOffset, e.badLine.expected, e.badLine.found, e);
    }
  }

  /** Number of inputs. */
  public int size() {
    return files.size();
  }

  /** An input's file, or {@link #STANDARD_INPUT}. */
  public Path file(int index) {
    return files.get(index);
  }

  /**
   * Bytes of all files as they are; pipes and the standard input, of unknown size, do not count.
   */
  public long totalBytes() {
    return totalBytes;
  }
}
