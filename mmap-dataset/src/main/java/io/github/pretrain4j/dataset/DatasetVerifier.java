package io.github.pretrain4j.dataset;

import io.github.pretrain4j.dataset.storage.MappedFile;
import io.github.pretrain4j.dataset.storage.RandomAccessBytes;
import java.io.IOException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;

/**
 * Finds everything that is wrong with a dataset, instead of stopping at the first disagreement.
 *
 * <p>Its rules are those of the format, see package-info: the header; that the index is as long as
 * its counts; that document entries start at 0, do not decrease and end with the number of
 * sequences; that no length is negative; that each pointer is the one before plus that sequence's
 * bytes; that the data file ends where the last sequence does; and that elements are token ids.
 */
public final class DatasetVerifier {
  /** How much is looked at. */
  public enum Depth {
    /** The header, the sizes of both files, and the ends of the arrays: the same time for any. */
    ENDS,
    /** Every entry of the index besides. */
    INDEX,
    /** Every token besides. */
    TOKENS
  }

  /** Which rule was broken. */
  public enum Kind {
    /** A file is not there. */
    MISSING_FILE,
    /** A file cannot be read. */
    UNREADABLE_FILE,
    /** Magic, version, type or counts; nothing after them could be looked at. */
    HEADER,
    /** The index is shorter or longer than its counts say. */
    INDEX_SIZE,
    /** A document entry: the first is 0, none is less than the one before, the last is the end. */
    DOCUMENT,
    /** A length is negative. */
    LENGTH,
    /** A pointer is not the one before plus that sequence's bytes. */
    POINTER,
    /** The data file is shorter or longer than the sequences. */
    DATA_SIZE,
    /** An element is no integer of 32 bits, or not in the vocabulary. */
    TOKEN
  }

  /**
   * One disagreement.
   *
   * @param kind the rule
   * @param file the file or object
   * @param byteOffset where in it
   * @param what the field or value concerned
   * @param expected what belongs there
   * @param found what is there
   */
  public record Finding(
      Kind kind, String file, long byteOffset, String what, String expected, String found) {
    @Override
    public String toString() {
      return file
          + ": "
          + what
          + " at byte "
          + byteOffset
          + ": expected "
          + expected
          + ", found "
          + found;
    }
  }

  /** Findings listed unless told otherwise. */
  public static final int DEFAULT_LIMIT = 100;

  private static final int CHUNK = 1 << 13;

  private final int limit;
  private final OptionalInt vocabularySize;
  private final OpenOptions.Modes modes;

  /** Lists at most this many findings, and counts the others. */
  public DatasetVerifier(int limit) {
    this(limit, OptionalInt.empty(), OpenOptions.Modes.DETECT);
  }

  private DatasetVerifier(int limit, OptionalInt vocabularySize, OpenOptions.Modes modes) {
    if (limit < 1) {
      throw new IllegalArgumentException("the limit must be positive: " + limit);
    }
    this.limit = limit;
    this.vocabularySize = vocabularySize;
    this.modes = modes;
  }

  /** One that also wants every token to be from 0 to {@code size - 1}. */
  public DatasetVerifier withVocabularySize(int size) {
    if (size < 1) {
      throw new IllegalArgumentException("vocabulary size must be positive: " + size);
    }
    return new DatasetVerifier(limit, OptionalInt.of(size), modes);
  }

  /** One that knows whether the dataset has sequence modes. */
  public DatasetVerifier withModes(OpenOptions.Modes value) {
    return new DatasetVerifier(limit, vocabularySize, value);
  }

  /**
   * Looks at the dataset of this prefix.
   *
   * @throws IOException only if reading fails for a reason that is not the dataset's
   */
  public VerifyReport verify(Path prefix, Depth depth) throws IOException {
    Findings findings = new Findings();
    MappedFile index = open(IndexedDataset.indexFile(prefix), findings);
    MappedFile data = open(IndexedDataset.dataFile(prefix), findings);
    if (index == null || data == null) {
      return findings.report(depth, -1, -1, -1);
    }
    return verify(index, data, false, depth, findings);
  }

  /** Looks at an open dataset's files. */
  VerifyReport verify(MappedFile index, RandomAccessBytes data, boolean lenient, Depth depth)
      throws IOException {
    return verify(index, data, lenient, depth, new Findings());
  }

  private static @Nullable MappedFile open(Path file, Findings findings) throws IOException {
    try {
      if (Files.isDirectory(file)) {
        findings.add(Kind.UNREADABLE_FILE, file.toString(), 0, "file", "a file", "a directory");
        return null;
      }
      return MappedFile.open(file);
    } catch (NoSuchFileException e) {
      findings.add(Kind.MISSING_FILE, file.toString(), 0, "file", "a file", "none");
    } catch (FileSystemException e) {
      findings.add(Kind.UNREADABLE_FILE, file.toString(), 0, "file", "a readable file", e);
    }
    return null;
  }

  private VerifyReport verify(
      MappedFile index, RandomAccessBytes data, boolean lenient, Depth depth, Findings findings)
      throws IOException {
    IndexHeader header;
    try {
      header = IndexHeader.readFields(index);
    } catch (CorruptDatasetException e) {
      findings.add(Kind.HEADER, e);
      return findings.report(depth, -1, -1, -1);
    }
    boolean whole = checkIndexSize(index, header, lenient, findings);
    long tokens = data.size() / header.type().bytes();
    if (whole) {
      Check check = new Check(index, header, data, lenient, findings);
      if (depth == Depth.ENDS) {
        check.ends();
      } else {
        check.documents();
        tokens = check.sequences() / header.type().bytes();
      }
    }
    if (depth == Depth.TOKENS) {
      // Of a leniently opened dataset too: those that sequences own.
      long owned = Math.min(tokens, data.size() / header.type().bytes());
      checkTokens(
          data, header.type(), lenient ? owned : data.size() / header.type().bytes(), findings);
    }
    return findings.report(depth, header.sequenceCount(), header.documentIndexCount() - 1, tokens);
  }

  /** Whether all arrays are there. */
  private boolean checkIndexSize(
      MappedFile index, IndexHeader header, boolean lenient, Findings findings) {
    long end = header.end();
    long withModes = end + header.sequenceCount();
    boolean fits =
        switch (modes) {
          case DETECT -> index.size() == end || index.size() == withModes;
          case REQUIRE -> index.size() == withModes;
          case REFUSE -> index.size() == end;
        };
    if (!fits && !(lenient && index.size() >= end)) {
      findings.add(
          Kind.INDEX_SIZE,
          index.location(),
          Math.min(index.size(), end),
          "end of file",
          switch (modes) {
            case DETECT -> end + " bytes (or " + withModes + " with sequence modes)";
            case REQUIRE -> withModes + " bytes, with sequence modes";
            case REFUSE -> end + " bytes, without sequence modes";
          },
          index.size() + " bytes");
    }
    return index.size() >= end;
  }

  private void checkTokens(RandomAccessBytes data, TokenType type, long count, Findings findings)
      throws IOException {
    int[] ids = new int[CHUNK];
    int size = vocabularySize.orElse(-1);
    long done = 0;
    while (done < count) {
      int wanted = (int) Math.min(CHUNK, count - done);
      long at = done * type.bytes();
      long bad = type.decode(data, at, ids, 0, wanted);
      int read = bad < 0 ? wanted : (int) ((bad - at) / type.bytes());
      if (size >= 0) {
        for (int i = 0; i < read; i++) {
          if (ids[i] < 0 || ids[i] >= size) {
            findings.add(
                Kind.TOKEN,
                data.location(),
                at + (long) i * type.bytes(),
                "token " + (done + i),
                "0 to " + (size - 1),
                ids[i]);
          }
        }
      }
      done += read;
      if (bad >= 0) {
        findings.add(
            Kind.TOKEN,
            data.location(),
            bad,
            "token " + done,
            "a 32-bit integer",
            "another " + type);
        done++;
      }
    }
  }

  /** The arrays of one index against each other and against the data. */
  private static final class Check {
    private final MappedFile index;
    private final IndexHeader header;
    private final RandomAccessBytes data;
    private final boolean lenient;
    private final Findings findings;

    Check(
        MappedFile index,
        IndexHeader header,
        RandomAccessBytes data,
        boolean lenient,
        Findings findings) {
      this.index = index;
      this.header = header;
      this.data = data;
      this.lenient = lenient;
      this.findings = findings;
    }

    /** First and last entries. */
    void ends() throws IOException {
      long count = header.sequenceCount();
      long last = header.documentIndexCount() - 1;
      documentEntry(0, 0, 0);
      documentEntry(last, count, count);
      if (count == 0) {
        dataSize(0);
        return;
      }
      if (!lenient) {
        pointer(0, 0, index.getLong(header.pointerAt(0)));
        int length = index.getInt(header.lengthAt(count - 1));
        if (length < 0) {
          length(count - 1, length);
        } else {
          long start = index.getLong(header.pointerAt(count - 1));
          // A pointer that cannot be is reported as what it does to the end.
          dataSize(start + (long) length * header.type().bytes());
        }
      }
    }

    /** Every document entry. */
    void documents() throws IOException {
      long count = header.documentIndexCount();
      long end = header.sequenceCount();
      long previous = 0;
      for (long d = 0; d < count; d++) {
        long minimum = d == count - 1 ? Math.max(previous, end) : previous;
        long maximum = d == 0 ? Math.min(previous, end) : end;
        long found = documentEntry(d, minimum, maximum);
        // One wrong entry is one finding: the next is compared with the last right one.
        previous = found >= previous && found <= end ? found : previous;
      }
    }

    private long documentEntry(long document, long minimum, long maximum) throws IOException {
      long found = index.getLong(header.documentAt(document));
      if (found < minimum || found > maximum) {
        findings.add(
            Kind.DOCUMENT,
            index.location(),
            header.documentAt(document),
            "first sequence of document " + document,
            minimum >= maximum ? minimum : minimum + " to " + maximum,
            found);
      }
      return found;
    }

    /** Every length and pointer, and the size of the data; returns where the sequences end. */
    long sequences() throws IOException {
      long expected = 0;
      for (long i = 0; i < header.sequenceCount(); i++) {
        int length = index.getInt(header.lengthAt(i));
        long found = lenient ? expected : index.getLong(header.pointerAt(i));
        if (found != expected) {
          pointer(i, expected, found);
        }
        if (length < 0) {
          length(i, length);
        } else {
          expected += (long) length * header.type().bytes();
        }
      }
      dataSize(expected);
      return expected;
    }

    private void pointer(long sequence, long expected, long found) {
      if (found != expected) {
        findings.add(
            Kind.POINTER,
            index.location(),
            header.pointerAt(sequence),
            "pointer of sequence " + sequence,
            expected,
            found);
      }
    }

    private void length(long sequence, int found) {
      findings.add(
          Kind.LENGTH,
          index.location(),
          header.lengthAt(sequence),
          "length of sequence " + sequence,
          "0 or more",
          found);
    }

    private void dataSize(long expected) {
      boolean tooLong = data.size() > expected;
      if (data.size() != expected && !(lenient && tooLong)) {
        findings.add(
            Kind.DATA_SIZE,
            data.location(),
            Math.max(0, Math.min(expected, data.size())),
            "end of file",
            expected + " bytes, as " + index.location() + " says",
            data.size() + " bytes");
      }
    }
  }

  /** The first so many, and the number of all. */
  private final class Findings {
    private final List<Finding> listed = new ArrayList<>();
    private long count;

    void add(Kind kind, CorruptDatasetException e) {
      add(kind, e.location(), e.byteOffset(), e.what(), e.expected(), e.found());
    }

    void add(Kind kind, String file, long byteOffset, String what, Object expected, Object found) {
      count++;
      if (listed.size() < limit) {
        listed.add(
            new Finding(kind, file, byteOffset, what, expected.toString(), found.toString()));
      }
    }

    VerifyReport report(Depth depth, long sequences, long documents, long tokens) {
      return new VerifyReport(depth, List.copyOf(listed), count, sequences, documents, tokens);
    }
  }
}
