package io.github.pretrain4j.deploy.local;

import com.google.common.hash.Hasher;
import com.google.common.hash.Hashing;
import io.github.pretrain4j.deploy.CorruptModelException;
import io.github.pretrain4j.deploy.DurableFiles;
import io.github.pretrain4j.deploy.ModelManifest;
import io.github.pretrain4j.deploy.ModelVersion;
import io.github.pretrain4j.deploy.ProgressListener;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.DirectoryStream;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.List;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.UUID;
import java.util.concurrent.locks.ReentrantLock;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The versions V1, V2, … of one model in a directory. Layout: see package-info.
 *
 * <p>An import copies into a staging directory, hashing what it copies, flushes every file and
 * directory, and then renames the staging directory to the next free number while it holds the
 * lock. So a version is there as a whole or not at all, and content that is there already is found
 * under the same lock and not imported twice. Files are copied rather than linked: a version must
 * not change when somebody later writes into the folder it came from.
 *
 * <p>A staging directory carries the id and start time of its process; imports remove those whose
 * process is gone.
 */
final class LocalModelStore {
  static final String MODEL = "model";
  static final String MANIFEST = "manifest.json";
  private static final Pattern VERSION = Pattern.compile("V([1-9]\\d{0,8})");
  private static final Pattern STAGING = Pattern.compile("\\.staging-(\\d{1,18})-(\\d{1,18})-.*");
  private static final int COPY_BYTES = 4 << 20;

  /** File locks belong to a process; between its threads this decides. */
  private static final ReentrantLock IN_THIS_PROCESS = new ReentrantLock();

  private final Path directory;
  private final Checkpoints checkpoints;

  /** Told when an import has reached a point, so that tests can stop it there. */
  @FunctionalInterface
  interface Checkpoints {
    Checkpoints NONE = point -> {};

    void reached(String point) throws IOException;
  }

  LocalModelStore(Path directory) {
    this(directory, Checkpoints.NONE);
  }

  LocalModelStore(Path directory, Checkpoints checkpoints) {
    this.directory = directory;
    this.checkpoints = checkpoints;
  }

  /** The number, manifest and place of every version, oldest first. */
  SortedMap<Integer, ModelManifest> versions() throws IOException {
    SortedMap<Integer, ModelManifest> versions = new TreeMap<>();
    if (Files.isDirectory(directory)) {
      try (DirectoryStream<Path> entries = Files.newDirectoryStream(directory, "V*")) {
        for (Path entry : entries) {
          Matcher matcher = VERSION.matcher(String.valueOf(entry.getFileName()));
          if (matcher.matches()) {
            versions.put(Integer.parseInt(matcher.group(1)), manifest(entry));
          }
        }
      }
    }
    return versions;
  }

  private static ModelManifest manifest(Path version) throws IOException {
    Path file = version.resolve(MANIFEST);
    try {
      return ModelManifest.read(file);
    } catch (NoSuchFileException e) {
      throw new CorruptModelException(file, "manifest", "a file", "nothing", e);
    }
  }

  Path modelDirectory(String label) {
    return directory.resolve(label).resolve(MODEL);
  }

  /**
   * Makes {@code files} of {@code source} a version, or finds the version that has the same
   * content.
   *
   * @param files relative paths with {@code /}
   */
  ModelVersion importModel(Path source, List<String> files, ProgressListener progress)
      throws IOException {
    Files.createDirectories(directory);
    if (mayBeThere(source, files)) {
      ModelManifest manifest = hash(source, files, progress);
      ModelVersion existing = find(manifest.sha256());
      if (existing != null) {
        return existing;
      }
    }
    Path staging = stagingDirectory();
    Files.createDirectories(staging.resolve(MODEL));
    try {
      checkpoints.reached("staging");
      ModelManifest manifest = copy(source, files, staging.resolve(MODEL), progress);
      checkpoints.reached("copied");
      manifest.write(staging.resolve(MANIFEST));
      checkpoints.reached("manifest");
      flushTree(staging);
      checkpoints.reached("flushed");
      return publish(staging, manifest);
    } finally {
      deleteTree(staging); // does nothing once it has its new name
    }
  }

  /** Renames {@code staging} to the next number, unless its content came in meanwhile. */
  private ModelVersion publish(Path staging, ModelManifest manifest) throws IOException {
    IN_THIS_PROCESS.lock();
    try (FileChannel channel =
        FileChannel.open(
            directory.resolve(".import.lock"),
            StandardOpenOption.CREATE,
            StandardOpenOption.WRITE)) {
      channel.lock();
      removeAbandoned();
      ModelVersion existing = find(manifest.sha256());
      if (existing != null) {
        return existing;
      }
      SortedMap<Integer, ModelManifest> versions = versions();
      String label = "V" + (versions.isEmpty() ? 1 : Math.addExact(versions.lastKey(), 1));
      checkpoints.reached("locked");
      Files.move(staging, directory.resolve(label), StandardCopyOption.ATOMIC_MOVE);
      checkpoints.reached("renamed");
      DurableFiles.flushDirectory(directory);
      return version(label, manifest.sha256(), true);
    } finally {
      IN_THIS_PROCESS.unlock();
    }
  }

  private ModelVersion version(String label, String sha256, boolean created) {
    return new ModelVersion(label, modelDirectory(label).toString(), sha256, created);
  }

  private @Nullable ModelVersion find(String sha256) throws IOException {
    for (var entry : versions().entrySet()) {
      if (entry.getValue().sha256().equals(sha256)) {
        return version("V" + entry.getKey(), sha256, false);
      }
    }
    return null;
  }

  /**
   * Whether some version has files of these names and sizes: only then is hashing first worth it.
   */
  private boolean mayBeThere(Path source, List<String> files) throws IOException {
    SortedMap<String, Long> wanted = new TreeMap<>();
    for (String file : files) {
      wanted.put(file, Files.size(source.resolve(file)));
    }
    for (ModelManifest manifest : versions().values()) {
      SortedMap<String, Long> found = new TreeMap<>();
      manifest.files().forEach(entry -> found.put(entry.path(), entry.size()));
      if (found.equals(wanted)) {
        return true;
      }
    }
    return false;
  }

  private static ModelManifest hash(Path source, List<String> files, ProgressListener progress)
      throws IOException {
    List<ModelManifest.Entry> entries = new ArrayList<>();
    Meter meter = new Meter(source, files, progress);
    for (String file : files) {
      entries.add(transfer(source.resolve(file), null, file, meter));
    }
    return new ModelManifest(entries);
  }

  private ModelManifest copy(
      Path source, List<String> files, Path target, ProgressListener progress) throws IOException {
    List<ModelManifest.Entry> entries = new ArrayList<>();
    Meter meter = new Meter(source, files, progress);
    for (String file : files) {
      Path to = target.resolve(file);
      Files.createDirectories(to.getParent());
      entries.add(transfer(source.resolve(file), to, file, meter));
      checkpoints.reached("file");
    }
    return new ModelManifest(entries);
  }

  /** Hashes {@code from}, and copies it to {@code to} and flushes that, if there is one. */
  private static ModelManifest.Entry transfer(
      Path from, @Nullable Path to, String name, Meter meter) throws IOException {
    Hasher hasher = Hashing.sha256().newHasher();
    ByteBuffer buffer = ByteBuffer.allocate(COPY_BYTES);
    long size = 0;
    try (FileChannel in = FileChannel.open(from, StandardOpenOption.READ);
        FileChannel out =
            to == null
                ? null
                : FileChannel.open(to, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
      while (in.read(buffer) >= 0) {
        buffer.flip();
        hasher.putBytes(buffer.duplicate());
        if (out != null && to != null) {
          DurableFiles.write(out, buffer, to, size);
        }
        size += buffer.limit();
        meter.add(buffer.limit());
        buffer.clear();
      }
      if (out != null && to != null) {
        DurableFiles.flush(out, to, size);
      }
    }
    return new ModelManifest.Entry(name, size, hasher.hash().toString());
  }

  /** Passes bytes on to a listener. */
  private static final class Meter {
    private final ProgressListener progress;
    private final long total;
    private long done;

    Meter(Path source, List<String> files, ProgressListener progress) throws IOException {
      this.progress = progress;
      long sum = 0;
      for (String file : files) {
        sum += Files.size(source.resolve(file));
      }
      total = sum;
    }

    void add(long bytes) {
      done += bytes;
      progress.bytes("import", done, total);
    }
  }

  /**
   * Reads all of a version again and compares it with its manifest; nothing may be missing or
   * extra.
   */
  void verify(String label) throws IOException {
    Path version = directory.resolve(label);
    ModelManifest manifest = manifest(version);
    Path model = version.resolve(MODEL);
    SortedSet<String> extra = new TreeSet<>();
    try (Stream<Path> files = Files.walk(model)) {
      files
          .filter(file -> !Files.isDirectory(file))
          .forEach(file -> extra.add(model.relativize(file).toString().replace('\\', '/')));
    }
    for (ModelManifest.Entry entry : manifest.files()) {
      Path file = model.resolve(entry.path());
      if (!extra.remove(entry.path())) {
        throw new CorruptModelException(file, "content", "a file", "nothing");
      }
      Meter silent = new Meter(model, List.of(), ProgressListener.NONE);
      ModelManifest.Entry found = transfer(file, null, entry.path(), silent);
      if (!found.equals(entry)) {
        throw new CorruptModelException(
            file,
            "content",
            entry.size() + " bytes, SHA-256 " + entry.sha256(),
            found.size() + " bytes, SHA-256 " + found.sha256());
      }
    }
    if (!extra.isEmpty()) {
      throw new CorruptModelException(model, "files", "only those of the manifest", extra);
    }
  }

  private Path stagingDirectory() {
    ProcessHandle self = ProcessHandle.current();
    return directory.resolve(
        ".staging-"
            + self.pid()
            + "-"
            + ServerProcesses.startMillis(self)
            + "-"
            + UUID.randomUUID().toString().substring(0, 8));
  }

  private void removeAbandoned() throws IOException {
    List<Path> abandoned = new ArrayList<>();
    try (DirectoryStream<Path> entries = Files.newDirectoryStream(directory, ".staging-*")) {
      for (Path entry : entries) {
        Matcher matcher = STAGING.matcher(String.valueOf(entry.getFileName()));
        if (matcher.matches()
            && ServerProcesses.find(
                    Long.parseLong(matcher.group(1)), Long.parseLong(matcher.group(2)))
                .isEmpty()) {
          abandoned.add(entry);
        }
      }
    }
    for (Path entry : abandoned) {
      deleteTree(entry);
    }
  }

  private static void flushTree(Path root) throws IOException {
    List<Path> directories;
    try (Stream<Path> walk = Files.walk(root)) {
      directories = walk.filter(Files::isDirectory).toList();
    }
    for (Path each : directories) {
      DurableFiles.flushDirectory(each);
    }
  }

  private static void deleteTree(Path root) throws IOException {
    if (!Files.exists(root)) {
      return;
    }
    Files.walkFileTree(
        root,
        new SimpleFileVisitor<>() {
          @Override
          public FileVisitResult visitFile(Path file, BasicFileAttributes attributes)
              throws IOException {
            Files.deleteIfExists(file);
            return FileVisitResult.CONTINUE;
          }

          @Override
          public FileVisitResult postVisitDirectory(Path visited, @Nullable IOException failure)
              throws IOException {
            if (failure != null) {
              throw failure;
            }
            Files.deleteIfExists(visited);
            return FileVisitResult.CONTINUE;
          }
        });
  }
}
