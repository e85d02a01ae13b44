package io.github.pretrain4j.dataset.preprocess;

import io.github.pretrain4j.dataset.storage.PendingFile;
import java.io.EOFException;
import java.io.IOException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The files that a run is writing: starts them, or goes on with what the journal says was on disk.
 * Not thread-safe, but for {@link #force}, before which nothing more may be opened.
 */
final class ResumableFiles implements PendingFile.Opener {
  private final Map<String, JournalRecord.Stream> earlier = new HashMap<>();
  private final List<PendingFile> files = new ArrayList<>();

  /**
   * With these files from an earlier run.
   *
   * @param streams what was on disk; none for a run that begins
   */
  ResumableFiles(List<JournalRecord.Stream> streams) {
    for (JournalRecord.Stream stream : streams) {
      earlier.put(stream.name(), stream);
    }
  }

  static String name(Path target) {
    return String.valueOf(target.getFileName());
  }

  /**
   * Starts a file or goes on with it.
   *
   * @throws UnresumableException if it does not begin with what was on disk
   */
  @Override
  public PendingFile open(Path target) throws IOException {
    JournalRecord.Stream stream = earlier.get(name(target));
    PendingFile file = stream == null ? PendingFile.resumable(target) : resume(target, stream);
    files.add(file);
    return file;
  }

  /** Opens a file again, and checks that it begins with what the journal says. */
  static PendingFile resume(Path target, JournalRecord.Stream stream) throws IOException {
    Path path = PendingFile.resumablePath(target);
    PendingFile file;
    try {
      file = PendingFile.resume(target, stream.bytes());
    } catch (NoSuchFileException e) {
      throw unresumable(path, "the file", stream.bytes() + " bytes", "no file", e);
    } catch (EOFException e) {
      throw unresumable(path, "size", "at least " + stream.bytes() + " bytes", "fewer", e);
    }
    String found = file.sha256SoFar();
    if (!found.equals(stream.sha256())) {
      file.close();
      throw new UnresumableException(
          path, "SHA-256 of its first " + stream.bytes() + " bytes", stream.sha256(), found);
    }
    return file;
  }

  private static UnresumableException unresumable(
      Path path, String what, String expected, String found, IOException cause) {
    UnresumableException e = new UnresumableException(path, what, expected, found);
    e.initCause(cause);
    return e;
  }

  /** What the operating system has now been given. */
  List<JournalRecord.Stream> snapshot() throws IOException {
    List<JournalRecord.Stream> streams = new ArrayList<>();
    for (PendingFile file : files) {
      String sha256 = file.sha256SoFar();
      streams.add(new JournalRecord.Stream(name(file.target()), file.bytes(), sha256));
    }
    return streams;
  }

  /** Has the disk hold at least what the last {@link #snapshot} counted. */
  void force() throws IOException {
    for (PendingFile file : files) {
      file.force();
    }
  }
}
