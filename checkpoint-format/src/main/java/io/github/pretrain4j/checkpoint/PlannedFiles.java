package io.github.pretrain4j.checkpoint;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Makes planned files: slots are filled by several threads, flushed to disk, framed, and all files
 * then renamed to their places.
 *
 * <p>Memory is one buffer a worker, whatever the size of the tensors.
 */
public final class PlannedFiles {
  private PlannedFiles() {}

  /**
   * How to write.
   *
   * @param workers threads that fill slots; with 1 it is the caller's thread, in the order of files
   *     and slots
   * @param journal a file that records what is finished, so that {@link #write} with an equal plan
   *     goes on after a kill; null if an interrupted run need not be continued. It stays after
   *     success, so that a run killed before its caller has published the files finds them
   *     finished: the caller deletes it
   * @param fingerprint what the content depends on beside the plan (such as its sources' sizes and
   *     times); a journal with another one is not continued
   * @param listener told about progress
   */
  public record Options(
      int workers, @Nullable Path journal, String fingerprint, Listener listener) {
    /** One worker, no journal, nobody told. */
    public static final Options DEFAULT = new Options(1, null, "", (written, total) -> {});

    /** Validates the number of workers. */
    public Options {
      if (workers < 1) {
        throw new IllegalArgumentException(workers + " workers");
      }
    }

    /** With that many workers. */
    public Options withWorkers(int value) {
      return new Options(value, journal, fingerprint, listener);
    }

    /** With a journal, continued if it is of an equal plan and fingerprint, else begun anew. */
    public Options withJournal(Path file, String contentFingerprint) {
      return new Options(workers, file, contentFingerprint, listener);
    }

    /** With a listener. */
    public Options withListener(Listener value) {
      return new Options(workers, journal, fingerprint, value);
    }
  }

  /** Told about progress, by one thread at a time. */
  @FunctionalInterface
  public interface Listener {
    /** Bytes in slots so far, those of a run that is continued included, of all. */
    void progress(long writtenBytes, long totalBytes);
  }

  /**
   * Makes the files. None is visible before all are complete and on disk; then they are renamed one
   * by one, in the order given. Files of these names are replaced.
   *
   * <p>If it fails, nothing is left, unless there is a journal: then what is finished stays for the
   * next run, as {@code .NAME.tmp} beside the places of the files.
   *
   * @throws CheckpointWriteException if a file cannot be written
   * @throws IllegalStateException if content supplies too few or too many bytes
   */
  public static void write(Path directory, List<? extends PlannedFile> files, Options options)
      throws IOException {
    new PlannedWrite(directory, files, options, PlannedWrite.FLUSH_INTERVAL_MILLIS).run();
  }

  /**
   * True if there is a journal of this plan, so that {@link #write} would go on with it. If not,
   * the caller may want to clear away what another plan left.
   */
  public static boolean continues(List<? extends PlannedFile> files, Options options)
      throws IOException {
    Path journal = options.journal();
    return journal != null
        && WriteJournal.isOf(journal, WriteJournal.identity(files, options.fingerprint()));
  }

  /** Makes one file whose path is its name, in the directory of {@code place}. */
  static void write(Path place, PlannedFile file) throws IOException {
    Path directory = place.getParent();
    write(directory == null ? Path.of("") : directory, List.of(file), Options.DEFAULT);
  }

  /** The last part of a path. */
  static String name(Path place) {
    return String.valueOf(place.getFileName());
  }
}
