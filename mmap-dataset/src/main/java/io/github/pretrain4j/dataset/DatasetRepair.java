package io.github.pretrain4j.dataset;

import io.github.pretrain4j.dataset.storage.FileCommit;
import io.github.pretrain4j.dataset.storage.MappedFile;
import io.github.pretrain4j.dataset.storage.PendingFile;
import io.github.pretrain4j.dataset.storage.Scope;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;

/**
 * Mends a dataset where the index says enough to do so without guessing: a {@code .bin} with a torn
 * tail that no sequence owns, pointers that are not what the lengths add up to (programs with
 * 32-bit sums wrote such beyond 2 GiB), and bytes after the index's arrays.
 *
 * <p>The new files are written beside the old ones and renamed over them, {@code .bin} first; a
 * failure on the way leaves the old ones, or files that this mends. Everything else that {@link
 * DatasetVerifier} may find, lengths, documents or tokens, cannot be known again and is an error.
 */
public final class DatasetRepair {
  /** What was mended. */
  public enum Kind {
    /** The data file was cut to where the last sequence ends. */
    CUT_DATA,
    /** Pointers were made anew from the lengths. */
    MADE_POINTERS,
    /** Bytes behind the index's arrays were cut off. */
    CUT_INDEX
  }

  /**
   * One thing mended.
   *
   * @param kind what kind of thing
   * @param file the file that was replaced
   * @param byteOffset where it differs first
   * @param expected what is there now
   * @param found what was there
   */
  public record Repair(Kind kind, Path file, long byteOffset, String expected, String found) {
    @Override
    public String toString() {
      return file + ": at byte " + byteOffset + ": now " + expected + ", was " + found;
    }
  }

  private final Path prefix;
  private final MappedFile index;
  private final MappedFile data;
  private final IndexHeader header;
  private final RecomputedPointers pointers;
  private final long indexEnd;
  private final List<Repair> repairs = new ArrayList<>();

  private DatasetRepair(Path prefix, OpenOptions.Modes modes) throws IOException {
    this.prefix = prefix;
    index = MappedFile.open(IndexedDataset.indexFile(prefix));
    data = MappedFile.open(IndexedDataset.dataFile(prefix));
    header = IndexHeader.readLenient(index);
    pointers = RecomputedPointers.of(index, header);
    indexEnd = indexEnd(modes);
  }

  /**
   * Mends what can be mended.
   *
   * @param modes whether there are sequence modes; needed only for an index that is too long
   * @return what was done; empty if nothing was wrong
   * @throws CorruptDatasetException if the dataset is damaged otherwise; nothing was changed then
   */
  public static List<Repair> repair(Path prefix, OpenOptions.Modes modes) throws IOException {
    DatasetRepair repair = new DatasetRepair(prefix, modes);
    repair.plan();
    repair.perform();
    return List.copyOf(repair.repairs);
  }

  /** What {@link #repair} would do. */
  public static List<Repair> plan(Path prefix, OpenOptions.Modes modes) throws IOException {
    DatasetRepair repair = new DatasetRepair(prefix, modes);
    repair.plan();
    return List.copyOf(repair.repairs);
  }

  private long indexEnd(OpenOptions.Modes modes) throws CorruptDatasetException {
    long plain = header.end();
    long withModes = plain + header.sequenceCount();
    boolean fits = index.size() == plain || index.size() == withModes;
    long end =
        switch (modes) {
          case REQUIRE -> withModes;
          case REFUSE -> plain;
          case DETECT -> fits ? index.size() : (index.size() < withModes ? plain : -1);
        };
    if (end < 0 || index.size() < end) {
      throw new CorruptDatasetException(
          index.path(),
          plain,
          "end of file",
          end < 0
              ? "no more than "
                  + withModes
                  + " bytes, if it is not said whether the dataset has sequence modes"
              : end + " bytes",
          index.size());
    }
    return end;
  }

  private void plan() throws IOException {
    VerifyReport report =
        new DatasetVerifier(1).verify(index, data, true, DatasetVerifier.Depth.INDEX);
    report.requireNone(); // documents, lengths, and a data file that is too short
    if (data.size() > pointers.end()) {
      repairs.add(
          new Repair(
              Kind.CUT_DATA,
              data.path(),
              pointers.end(),
              "the end",
              (data.size() - pointers.end()) + " bytes of no sequence"));
    }
    long wrong = 0;
    long firstWrong = -1;
    long expected = 0;
    for (long i = 0; i < header.sequenceCount(); i++) {
      if (index.getLong(header.pointerAt(i)) != expected) {
        firstWrong = wrong == 0 ? i : firstWrong;
        wrong++;
      }
      expected += (long) index.getInt(header.lengthAt(i)) * header.type().bytes();
    }
    if (wrong > 0) {
      repairs.add(
          new Repair(
              Kind.MADE_POINTERS,
              index.path(),
              header.pointerAt(firstWrong),
              pointers.pointer(firstWrong) + ", the pointer of sequence " + firstWrong,
              index.getLong(header.pointerAt(firstWrong)) + "; " + wrong + " pointers were wrong"));
    }
    if (index.size() > indexEnd) {
      repairs.add(
          new Repair(
              Kind.CUT_INDEX,
              index.path(),
              indexEnd,
              "the end",
              (index.size() - indexEnd) + " bytes behind the arrays"));
    }
  }

  private boolean needs(Path file) {
    return repairs.stream().anyMatch(repair -> repair.file().equals(file));
  }

  private void perform() throws IOException {
    List<PendingFile> files = new ArrayList<>();
    try (Scope opened = new Scope()) {
      if (needs(data.path())) {
        PendingFile file = opened.add(PendingFile.create(IndexedDataset.dataFile(prefix)));
        copy(data, 0, pointers.end(), file);
        files.add(file);
      }
      if (needs(index.path())) {
        PendingFile file = opened.add(PendingFile.create(IndexedDataset.indexFile(prefix)));
        copy(index, 0, header.pointerAt(0), file);
        long pointer = 0;
        for (long i = 0; i < header.sequenceCount(); i++) {
          file.putLong(pointer);
          pointer += (long) index.getInt(header.lengthAt(i)) * header.type().bytes();
        }
        long documents = header.documentAt(0);
        copy(index, documents, indexEnd - documents, file);
        files.add(file);
      }
      for (PendingFile file : files) {
        file.sealUnhashed();
      }
      FileCommit.replace(files);
    }
  }

  private static void copy(MappedFile source, long from, long count, PendingFile target)
      throws IOException {
    try (FileChannel channel = FileChannel.open(source.path(), StandardOpenOption.READ)) {
      target.transferFrom(channel, from, count);
    }
  }
}
