package io.github.pretrain4j.dataset;

import io.github.pretrain4j.dataset.storage.BlockCache;
import io.github.pretrain4j.dataset.storage.ByteRangeSource;
import io.github.pretrain4j.dataset.storage.ByteRangeSourceProvider;
import io.github.pretrain4j.dataset.storage.MappedFile;
import io.github.pretrain4j.dataset.storage.PendingFile;
import io.github.pretrain4j.dataset.storage.RandomAccessBytes;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * A Megatron dataset, the pair {@code prefix.bin} and {@code prefix.idx}, opened for reading.
 *
 * <p>Both files are mapped, whatever their size; opening reads the header and the ends of the
 * arrays only. {@link #open} checks the header, the size of the index against its counts, and the
 * first and last entry of each array against the other file. Every read checks the entry it uses
 * against its neighbour and the size of the data file, so that a damaged index cannot lead to
 * another sequence's tokens; {@link #verify} checks every entry and reads every token, and {@link
 * DatasetVerifier} lists all that is wrong.
 *
 * <p>A dataset in an object store is read by byte ranges: its index is fetched once, its data in
 * blocks ({@link RemoteReading}).
 *
 * <p>Thread-safe. A file must not be cut while it is open: reading a mapping behind the end of its
 * file is an {@link InternalError} of the virtual machine. The writers of this library replace
 * files by renaming, which is safe. {@link #close} forgets the mappings; the memory is given back
 * when the collector runs.
 */
public final class IndexedDataset implements AutoCloseable {
  private final IndexHeader header;
  private final String location;
  private final @Nullable Path prefix;
  private final boolean modes;

  // Null once closed; one field, so that a reader sees both files or neither.
  private volatile @Nullable Files files;

  /**
   * What is open.
   *
   * @param end the byte behind the last sequence; the size of the data, unless leniently opened
   * @param pointers those to be used instead of the index's, if leniently opened
   * @param resources what to close besides
   */
  private record Files(
      MappedFile index,
      RandomAccessBytes data,
      long end,
      @Nullable RecomputedPointers pointers,
      Runnable resources) {}

  private IndexedDataset(
      String location, @Nullable Path prefix, IndexHeader header, boolean modes, Files files) {
    this.location = location;
    this.prefix = prefix;
    this.header = header;
    this.modes = modes;
    this.files = files;
  }

  /** As {@link #open(Path, OpenOptions)}, with the defaults. */
  public static IndexedDataset open(Path prefix) throws IOException {
    return open(prefix, OpenOptions.defaults());
  }

  /**
   * Opens the dataset of this prefix.
   *
   * @param prefix path of the two files without {@code .bin} and {@code .idx}
   * @throws java.nio.file.NoSuchFileException if a file is missing
   * @throws CorruptDatasetException if the files are no dataset, or do not belong together, or have
   *     modes or not where the options say otherwise
   */
  public static IndexedDataset open(Path prefix, OpenOptions options) throws IOException {
    return of(
        prefix.toString(),
        prefix,
        MappedFile.open(indexFile(prefix)),
        MappedFile.open(dataFile(prefix)),
        () -> {},
        options);
  }

  /** As {@link #open(String, ByteRangeSourceProvider, RemoteReading, OpenOptions)}. */
  public static IndexedDataset open(String location, RemoteReading reading) throws IOException {
    return open(
        location, ByteRangeSourceProvider.forLocation(location), reading, OpenOptions.defaults());
  }

  /**
   * Opens a dataset in an object store.
   *
   * @param location address of the two objects without {@code .bin} and {@code .idx}, such as
   *     {@code s3://bucket/key}
   * @param provider opens such addresses
   * @throws io.github.pretrain4j.dataset.storage.ObjectStorageException if an object cannot be had
   * @throws CorruptDatasetException as for a local dataset
   */
  public static IndexedDataset open(
      String location, ByteRangeSourceProvider provider, RemoteReading reading, OpenOptions options)
      throws IOException {
    Path indexFile;
    try (ByteRangeSource index = provider.open(location + ".idx")) {
      indexFile = RemoteIndex.fetch(index, reading.cacheDirectory());
    }
    ByteRangeSource data = provider.open(location + ".bin");
    try {
      BlockCache blocks = new BlockCache(data, reading.blockBytes(), reading.blockCount());
      return of(location, null, MappedFile.open(indexFile), blocks, data::close, options);
    } catch (IOException | RuntimeException e) {
      data.close();
      throw e;
    }
  }

  /** Opens what is mapped already; for tests too, which map in small chunks. */
  static IndexedDataset of(
      String location,
      @Nullable Path prefix,
      MappedFile index,
      RandomAccessBytes data,
      Runnable resources,
      OpenOptions options)
      throws IOException {
    IndexHeader header =
        options.lenient() ? IndexHeader.readLenient(index) : IndexHeader.read(index);
    boolean modes = hasModes(header, index, options);
    RecomputedPointers pointers = options.lenient() ? RecomputedPointers.of(index, header) : null;
    long end = pointers == null ? data.size() : pointers.end();
    IndexedDataset dataset =
        new IndexedDataset(
            location, prefix, header, modes, new Files(index, data, end, pointers, resources));
    dataset.checkEnds();
    return dataset;
  }

  /** Whether there are modes, which nothing but the size of the index says. */
  private static boolean hasModes(IndexHeader header, MappedFile index, OpenOptions options)
      throws CorruptDatasetException {
    boolean sized =
        header.sequenceCount() > 0 && index.size() == header.end() + header.sequenceCount();
    boolean expected =
        switch (options.modes()) {
          case DETECT -> sized;
          case REQUIRE -> true;
          case REFUSE -> false;
        };
    if (expected != sized && header.sequenceCount() > 0) {
      throw new CorruptDatasetException(
          index.path(),
          header.end(),
          "sequence modes",
          expected ? header.sequenceCount() + " bytes of them" : "none",
          (index.size() - header.end()) + " bytes behind the arrays");
    }
    return expected;
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

  /**
   * The prefix this was opened with.
   *
   * @throws IllegalStateException for a dataset in an object store, which has a {@link #location}
   */
  public Path prefix() {
    if (prefix == null) {
      throw new IllegalStateException(location + " is no local dataset");
    }
    return prefix;
  }

  /** The prefix this was opened with, as text; of an object store, its address. */
  public String location() {
    return location;
  }

  /** The index on this machine: {@code prefix.idx}, or the local copy of an object. */
  public Path localIndexFile() {
    return files().index().path();
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
    return files().end() / header.type().bytes();
  }

  /** Number of tokens of a sequence, from 0 to {@code sequenceCount() - 1}. */
  public int sequenceLength(long sequence) {
    checkSequence(sequence);
    return files().index().getInt(header.lengthAt(sequence));
  }

  /** Whether each sequence has a {@link #mode}: whether the dataset is multimodal. */
  public boolean hasModes() {
    return modes;
  }

  /**
   * The mode of a sequence in a multimodal dataset; 0 is text.
   *
   * @throws IllegalStateException if the dataset has no modes
   */
  public byte mode(long sequence) {
    checkSequence(sequence);
    if (!modes) {
      throw new IllegalStateException("the dataset " + location + " has no sequence modes");
    }
    return files().index().getByte(header.modeAt(sequence));
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
    return span(sequence).toArray();
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
    span(sequence).copyTo(offset, target, targetOffset, length);
  }

  /**
   * A sequence, not yet read.
   *
   * @throws CorruptDatasetException if the entry of this sequence is damaged
   */
  public TokenSpan span(long sequence) throws IOException {
    checkSequence(sequence);
    Files current = files();
    long pointer = checkedPointer(current, sequence);
    int length = current.index().getInt(header.lengthAt(sequence));
    return new TokenSpan(header.type(), current.data(), pointer, length);
  }

  /**
   * Sequences that follow each other, not yet read; {@link #sequenceLengths} says where one ends.
   *
   * @throws CorruptDatasetException if the entries of these sequences are damaged
   */
  public TokenSpan span(long firstSequence, long count) throws IOException {
    Objects.checkFromIndexSize(firstSequence, count, header.sequenceCount());
    Files current = files();
    if (count == 0) {
      return new TokenSpan(header.type(), current.data(), 0, 0);
    }
    long start = checkedPointer(current, firstSequence);
    long tokens = 0;
    for (long i = firstSequence; i < firstSequence + count; i++) {
      int length = current.index().getInt(header.lengthAt(i));
      if (length < 0) {
        throw corruptLength(i, length);
      }
      tokens += length;
    }
    long last = firstSequence + count - 1;
    long end =
        checkedPointer(current, last)
            + (long) current.index().getInt(header.lengthAt(last)) * header.type().bytes();
    if (end != start + tokens * header.type().bytes()) {
      throw new CorruptDatasetException(
          current.index().path(),
          header.pointerAt(last),
          "end of sequence " + last,
          start + tokens * header.type().bytes(),
          end);
    }
    return new TokenSpan(header.type(), current.data(), start, tokens);
  }

  /**
   * A document, all its sequences, not yet read.
   *
   * @throws CorruptDatasetException if the entries concerned are damaged
   */
  public TokenSpan document(long document) throws IOException {
    Objects.checkIndex(document, documentCount());
    long first = firstSequence(document);
    long next = firstSequence(document + 1);
    if (next < first) {
      throw corruptDocument(files().index(), document + 1, first, next);
    }
    return span(first, next - first);
  }

  /** The lengths of {@code count} sequences from {@code first} on, as the index has them. */
  public int[] sequenceLengths(long first, int count) {
    Objects.checkFromIndexSize(first, count, header.sequenceCount());
    int[] lengths = new int[count];
    files().index().getInts(header.lengthAt(first), lengths, 0, count);
    return lengths;
  }

  /**
   * Checks every entry of the index and reads every token.
   *
   * @throws CorruptDatasetException for the first disagreement
   */
  public void verify() throws IOException {
    verify(DatasetVerifier.Depth.TOKENS);
  }

  /** Checks every entry of the index: lengths, pointers and documents. */
  public void verifyIndex() throws IOException {
    verify(DatasetVerifier.Depth.INDEX);
  }

  private void verify(DatasetVerifier.Depth depth) throws IOException {
    Files current = files();
    new DatasetVerifier(1)
        .verify(current.index(), current.data(), current.pointers() != null, depth)
        .requireNone();
  }

  /** The data as this dataset's readers see it, for operations on whole datasets. */
  RandomAccessBytes data() {
    return files().data();
  }

  /** The index, likewise. */
  MappedFile index() {
    return files().index();
  }

  /** Everything that sequences own. */
  TokenSpan allTokens() {
    return new TokenSpan(header.type(), data(), 0, tokenCount());
  }

  /** Appends bytes of the data file to another. */
  void copyData(long byteOffset, long bytes, PendingFile target) throws IOException {
    RandomAccessBytes data = data();
    if (data instanceof MappedFile mapped) {
      try (FileChannel channel = FileChannel.open(mapped.path(), StandardOpenOption.READ)) {
        if (channel.size() != mapped.size()) {
          throw new CorruptDatasetException(
              mapped.path(), 0, "size", mapped.size() + " as it was opened", channel.size());
        }
        target.transferFrom(channel, byteOffset, bytes);
      }
      return;
    }
    long end = byteOffset + bytes;
    for (long at = byteOffset; at < end; at = data.chunkEnd(at)) {
      int count = (int) (Math.min(end, data.chunkEnd(at)) - at);
      target.put(data.chunk(at).slice(data.inChunk(at), count));
    }
  }

  /** Where in the index what is. */
  IndexHeader header() {
    return header;
  }

  /** Forgets the mappings. Reading afterwards is an error. Idempotent. */
  @Override
  public void close() {
    Files current = files;
    files = null;
    if (current != null) {
      current.resources().run();
    }
  }

  private Files files() {
    Files current = files;
    if (current == null) {
      throw new IllegalStateException("the dataset " + location + " is closed");
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
      if (current.end() != 0) {
        throw dataSize(current, 0);
      }
      return;
    }
    if (current.pointers() == null) {
      requireEntry(index, header.pointerAt(0), "pointer of sequence 0", 0);
    } else if (current.end() > current.data().size()) {
      throw dataSize(current, current.end());
    }
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
    if (current.pointers() != null) {
      return current.pointers().pointer(sequence);
    }
    long pointer = index.getLong(header.pointerAt(sequence));
    int bytes = header.type().bytes();
    long size = current.end();
    if (pointer < 0 || pointer > size || pointer % bytes != 0) {
      throw new CorruptDatasetException(
          index.path(),
          header.pointerAt(sequence),
          "pointer of sequence " + sequence,
          "a multiple of "
              + bytes
              + " up to "
              + size
              + ", the size of "
              + current.data().location(),
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
        files().index().path(),
        header.lengthAt(sequence),
        "length of sequence " + sequence,
        "0 up to what the data file holds",
        length);
  }

  private static CorruptDatasetException dataSize(Files current, long expected) {
    return CorruptDatasetException.in(
        current.data(),
        Math.min(expected, current.data().size()),
        "end of file",
        expected + " bytes, as " + current.index().path() + " says",
        current.data().size());
  }
}
