package io.github.pretrain4j.dataset;

import io.github.pretrain4j.dataset.storage.MappedFile;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * A Megatron dataset, the pair {@code prefix.bin} and {@code prefix.idx}, opened for reading.
 *
 * <p>Both files are mapped, whatever their size; opening reads the header and the ends of the
 * arrays only. {@link #open} checks the header, the size of the index against its counts, and the
 * first and last entry of each array against the other file. Every read checks the entry it uses
 * against its neighbour and the size of the data file, so that a damaged index cannot lead to
 * another sequence's tokens; {@link #verify} checks every entry and reads every token.
 *
 * <p>Thread-safe. A file must not be cut while it is open: reading a mapping behind the end of its
 * file is an {@link InternalError} of the virtual machine. The writers of this library replace
 * files by renaming, which is safe. {@link #close} forgets the mappings; the memory is given back
 * when the collector runs.
 */
public final class IndexedDataset implements AutoCloseable {
  /** Elements read at a time by {@link #verify}. */
  private static final int VERIFY_ELEMENTS = 1 << 16;

  private final IndexHeader header;
  private final Path prefix;

  // Null once closed; one field, so that a reader sees both files or neither.
  private volatile @Nullable Files files;

  private record Files(MappedFile index, MappedFile data) {}

  private IndexedDataset(Path prefix, IndexHeader header, MappedFile index, MappedFile data) {
    this.prefix = prefix;
    this.header = header;
    this.files = new Files(index, data);
  }

  /**
   * Opens the dataset of this prefix.
   *
   * @param prefix path of the two files without {@code .bin} and {@code .idx}
   * @throws java.nio.file.NoSuchFileException if a file is missing
   * @throws CorruptDatasetException if the files are no dataset, or do not belong together
   */
  public static IndexedDataset open(Path prefix) throws IOException {
    MappedFile index = MappedFile.open(indexFile(prefix));
    MappedFile data = MappedFile.open(dataFile(prefix));
    IndexHeader header = IndexHeader.read(index);
    IndexedDataset dataset = new IndexedDataset(prefix, header, index, data);
    dataset.checkEnds();
    return dataset;
  }

  /** {@code prefix.bin}. */
  public static Path dataFile(Path prefix) {
    return withSuffix(prefix, ".bin");
  }

  /** {@code prefix.idx}. */
  public static Path indexFile(Path prefix) {
    return withSuffix(prefix, ".idx");
  }

  /** A suffix is appended, never substituted: a prefix may contain dots. */
  public static Path withSuffix(Path prefix, String suffix) {
    Path name = prefix.getFileName();
    if (name == null || name.toString().isEmpty()) {
      throw new IllegalArgumentException("a prefix needs a file name: " + prefix);
    }
    return prefix.resolveSibling(name + suffix);
  }

  /** The prefix this was opened with. */
  public Path prefix() {
    return prefix;
  }

  /** What one token is in the data file. */
  public TokenType tokenType() {
    return header.type();
  }

  /** Number of sequences. */
  public long sequenceCount() {
    return header.sequenceCount();
  }

  /** Number of documents, empty ones included. */
  public long documentCount() {
    return header.documentIndexCount() - 1;
  }

  /** Number of tokens of all sequences together. */
  public long tokenCount() {
    return files().data().size() / header.type().bytes();
  }

  /** Number of tokens of a sequence, from 0 to {@code sequenceCount() - 1}. */
  public int sequenceLength(long sequence) {
    checkSequence(sequence);
    return files().index().getInt(header.lengthAt(sequence));
  }

  /**
   * The first sequence of a document; document {@code d} has the sequences from {@code
   * firstSequence(d)} up to but without {@code firstSequence(d + 1)}.
   *
   * @param document from 0 to {@code documentCount()} inclusive
   * @throws CorruptDatasetException if the entry is no sequence
   */
  public long firstSequence(long document) throws IOException {
    Objects.checkIndex(document, header.documentIndexCount());
    MappedFile index = files().index();
    long first = index.getLong(header.documentAt(document));
    if (first < 0 || first > header.sequenceCount()) {
      throw corruptDocument(index, document, 0, first);
    }
    return first;
  }

  /** All tokens of a sequence. */
  public int[] sequence(long sequence) throws IOException {
    int length = sequenceLength(sequence);
    long bytes = (long) length * header.type().bytes();
    if (length < 0 || bytes > files().data().size()) {
      throw corruptLength(sequence, length);
    }
    int[] tokens = new int[length];
    read(sequence, 0, length, tokens, 0);
    return tokens;
  }

  /**
   * Reads some tokens of a sequence.
   *
   * @param sequence the sequence
   * @param offset first token wanted, within the sequence
   * @param length number of tokens wanted; all of them must lie in the sequence
   * @param target where the ids go
   * @param targetOffset index of the first id in {@code target}
   * @throws CorruptDatasetException if the entry of this sequence is damaged, or an element is no
   *     {@code int}
   */
  public void read(long sequence, int offset, int length, int[] target, int targetOffset)
      throws IOException {
    checkSequence(sequence);
    Objects.checkFromIndexSize(targetOffset, length, target.length);
    Files current = files();
    MappedFile data = current.data();
    TokenType type = header.type();
    long position = checkedPointer(current, sequence);
    int sequenceLength = current.index().getInt(header.lengthAt(sequence));
    Objects.checkFromIndexSize(offset, length, sequenceLength);
    position += (long) offset * type.bytes();
    decode(data, position, target, targetOffset, length);
  }

  /** Reads elements that lie inside the data file. */
  private void decode(MappedFile data, long position, int[] target, int targetOffset, int length)
      throws CorruptDatasetException {
    long bad = header.type().decode(data, position, target, targetOffset, length);
    if (bad >= 0) {
      throw new CorruptDatasetException(
          data.path(), bad, "token", "a 32-bit integer", "another " + header.type());
    }
  }

  /** The lengths of {@code count} sequences from {@code first} on, as the index has them. */
  public int[] sequenceLengths(long first, int count) {
    Objects.checkFromIndexSize(first, count, header.sequenceCount());
    int[] lengths = new int[count];
    TokenType.INT32.decode(files().index(), header.lengthAt(first), lengths, 0, count);
    return lengths;
  }

  /**
   * Checks every entry of the index and reads every token.
   *
   * @throws CorruptDatasetException for the first disagreement
   */
  public void verify() throws IOException {
    verifyIndex();
    MappedFile data = files().data();
    int[] ids = new int[(int) Math.min(VERIFY_ELEMENTS, tokenCount())];
    long total = tokenCount();
    for (long i = 0; i < total; i += ids.length) {
      int count = (int) Math.min(ids.length, total - i);
      decode(data, i * header.type().bytes(), ids, 0, count);
    }
  }

  /** Checks every entry of the index: lengths, pointers and documents. */
  public void verifyIndex() throws IOException {
    Files current = files();
    MappedFile index = current.index();
    long expected = 0;
    for (long i = 0; i < header.sequenceCount(); i++) {
      int length = index.getInt(header.lengthAt(i));
      if (length < 0) {
        throw corruptLength(i, length);
      }
      long pointer = index.getLong(header.pointerAt(i));
      if (pointer != expected) {
        throw new CorruptDatasetException(
            index.path(), header.pointerAt(i), "pointer of sequence " + i, expected, pointer);
      }
      expected += (long) length * header.type().bytes();
    }
    if (expected != current.data().size()) {
      throw dataSize(current, expected);
    }
    long previous = 0;
    for (long d = 0; d < header.documentIndexCount(); d++) {
      long first = index.getLong(header.documentAt(d));
      if (first < previous || first > header.sequenceCount()) {
        throw corruptDocument(index, d, previous, first);
      }
      previous = first;
    }
  }

  /** Forgets the mappings. Reading afterwards is an error. */
  @Override
  public void close() {
    files = null;
  }

  private Files files() {
    Files current = files;
    if (current == null) {
      throw new IllegalStateException("the dataset " + prefix + " is closed");
    }
    return current;
  }

  /** What can be said of the pair without reading the arrays: their first and last entries. */
  private void checkEnds() throws CorruptDatasetException {
    Files current = files();
    MappedFile index = current.index();
    long sequences = header.sequenceCount();
    long documents = header.documentIndexCount();
    requireEntry(index, header.documentAt(0), "first document index", 0);
    requireEntry(index, header.documentAt(documents - 1), "last document index", sequences);
    if (sequences == 0) {
      if (current.data().size() != 0) {
        throw dataSize(current, 0);
      }
      return;
    }
    requireEntry(index, header.pointerAt(0), "pointer of sequence 0", 0);
    checkedPointer(current, sequences - 1);
  }

  private static void requireEntry(MappedFile index, long at, String what, long expected)
      throws CorruptDatasetException {
    long found = index.getLong(at);
    if (found != expected) {
      throw new CorruptDatasetException(index.path(), at, what, expected, found);
    }
  }

  /**
   * The pointer of a sequence, after checking it, its length, and the next sequence's pointer (or
   * the size of the data file) against each other.
   */
  private long checkedPointer(Files current, long sequence) throws CorruptDatasetException {
    MappedFile index = current.index();
    int length = index.getInt(header.lengthAt(sequence));
    if (length < 0) {
      throw corruptLength(sequence, length);
    }
    long pointer = index.getLong(header.pointerAt(sequence));
    int bytes = header.type().bytes();
    long size = current.data().size();
    if (pointer < 0 || pointer > size || pointer % bytes != 0) {
      throw new CorruptDatasetException(
          index.path(),
          header.pointerAt(sequence),
          "pointer of sequence " + sequence,
          "a multiple of " + bytes + " up to " + size + ", the size of " + current.data().path(),
          pointer);
    }
    long end = pointer + (long) length * bytes;
    if (sequence == header.sequenceCount() - 1) {
      if (end != size) {
        throw dataSize(current, end);
      }
    } else {
      long next = index.getLong(header.pointerAt(sequence + 1));
      if (end != next || end > size) {
        throw new CorruptDatasetException(
            index.path(),
            header.pointerAt(sequence + 1),
            "pointer of sequence " + (sequence + 1),
            end + " (sequence " + sequence + " is " + length + " tokens at " + pointer + ")",
            next);
      }
    }
    return pointer;
  }

  private void checkSequence(long sequence) {
    Objects.checkIndex(sequence, header.sequenceCount());
  }

  private CorruptDatasetException corruptDocument(
      MappedFile index, long document, long minimum, long found) {
    return new CorruptDatasetException(
        index.path(),
        header.documentAt(document),
        "first sequence of document " + document,
        minimum + " to " + header.sequenceCount(),
        found);
  }

  private CorruptDatasetException corruptLength(long sequence, int length) {
    return new CorruptDatasetException(
        indexFile(prefix),
        header.lengthAt(sequence),
        "length of sequence " + sequence,
        "0 up to what the data file holds",
        length);
  }

  private static CorruptDatasetException dataSize(Files current, long expected) {
    return new CorruptDatasetException(
        current.data().path(),
        Math.min(expected, current.data().size()),
        "end of file",
        expected + " bytes, as " + current.index().path() + " says",
        current.data().size());
  }
}
