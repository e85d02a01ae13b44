package io.github.pretrain4j.dataset;

import io.github.pretrain4j.dataset.storage.FileCommit;
import io.github.pretrain4j.dataset.storage.PendingFile;
import io.github.pretrain4j.dataset.storage.Scope;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Writes a Megatron dataset: sequences of tokens, grouped into documents.
 *
 * <pre>{@code
 * try (IndexedDatasetWriter writer = IndexedDatasetWriter.create(prefix, TokenType.UINT16)) {
 *   writer.addSequence(tokens, 0, tokens.length);
 *   writer.endDocument();
 *   writer.finish();
 * }
 * }</pre>
 *
 * <p>Everything is written beside the final files, which appear, {@code .idx} last, in {@link
 * #finish}. Files of the same name are untouched until then; closing without finishing leaves
 * nothing behind. Lengths and document boundaries are spooled to disk too, so that memory does not
 * grow with the dataset. Not thread-safe.
 */
public final class IndexedDatasetWriter implements AutoCloseable {
  private static final int COPY_BYTES = 1 << 16;
  private static final int COPY_SEQUENCES = 1 << 14;

  private final TokenType type;
  private final PendingFile data;
  private final PendingFile index;
  private final PendingFile lengths;
  private final PendingFile documents;
  private final @Nullable PendingFile modes;
  private final Scope opened;
  private FileCommit.StepListener commitListener = FileCommit.StepListener.NONE;
  private long sequenceCount;
  private long documentCount;
  private long documentedSequenceCount;
  private boolean sealed;

  private IndexedDatasetWriter(
      TokenType type,
      PendingFile data,
      PendingFile index,
      PendingFile lengths,
      PendingFile documents,
      @Nullable PendingFile modes,
      Scope opened) {
    this.opened = opened;
    this.type = type;
    this.data = data;
    this.index = index;
    this.lengths = lengths;
    this.documents = documents;
    this.modes = modes;
  }

  /**
   * Starts a dataset.
   *
   * @param prefix path of the two files without {@code .bin} and {@code .idx}; its directory exists
   * @param type what one token becomes on disk
   */
  public static IndexedDatasetWriter create(Path prefix, TokenType type) throws IOException {
    return create(prefix, type, PendingFile::create);
  }

  /**
   * Starts a multimodal dataset: each sequence has a mode.
   *
   * @param prefix path of the two files without {@code .bin} and {@code .idx}; its directory exists
   * @param type what one token becomes on disk
   */
  public static IndexedDatasetWriter createMultimodal(Path prefix, TokenType type)
      throws IOException {
    return create(prefix, type, true, PendingFile::create);
  }

  /**
   * Starts a dataset, or goes on with one, if the opener gives files that have content: an {@code
   * .idx} without any, and the other three as they were after some document's end.
   *
   * @param prefix path of the two files without {@code .bin} and {@code .idx}; its directory exists
   * @param type what one token becomes on disk
   * @param opener starts {@code .bin}, {@code .idx}, {@code .idx.lengths} and {@code
   *     .idx.documents}, of which the last two are never committed
   */
  public static IndexedDatasetWriter create(Path prefix, TokenType type, PendingFile.Opener opener)
      throws IOException {
    return create(prefix, type, false, opener);
  }

  private static IndexedDatasetWriter create(
      Path prefix, TokenType type, boolean multimodal, PendingFile.Opener opener)
      throws IOException {
    Path indexFile = IndexedDataset.indexFile(prefix);
    Scope opened = new Scope();
    try {
      IndexedDatasetWriter writer =
          new IndexedDatasetWriter(
              type,
              opened.add(opener.open(IndexedDataset.dataFile(prefix))),
              opened.add(opener.open(indexFile)),
              opened.add(opener.open(IndexedDataset.withSuffix(prefix, ".idx.lengths"))),
              opened.add(opener.open(IndexedDataset.withSuffix(prefix, ".idx.documents"))),
              multimodal
                  ? opened.add(opener.open(IndexedDataset.withSuffix(prefix, ".idx.modes")))
                  : null,
              opened);
      if (writer.documents.bytes() == 0) {
        writer.documents.putLong(0);
      }
      writer.sequenceCount = writer.lengths.bytes() / Integer.BYTES;
      writer.documentedSequenceCount = writer.sequenceCount;
      writer.documentCount = writer.documents.bytes() / Long.BYTES - 1;
      return writer;
    } catch (IOException | RuntimeException e) {
      opened.closeAfter(e);
      throw e;
    }
  }

  /** For tests: is told before each step of the commit. */
  void onCommit(FileCommit.StepListener listener) {
    commitListener = listener;
  }

  /** What one token becomes on disk. */
  public TokenType tokenType() {
    return type;
  }

  /** Sequences added so far. */
  public long sequenceCount() {
    return sequenceCount;
  }

  /** Documents ended so far. */
  public long documentCount() {
    return documentCount;
  }

  /** Tokens added so far. */
  public long tokenCount() {
    return data.bytes() / type.bytes();
  }

  /** Whether each sequence has a mode. */
  public boolean isMultimodal() {
    return modes != null;
  }

  /**
   * Appends one sequence, which may be empty, to the current document; of mode 0, if the dataset is
   * multimodal.
   *
   * @throws IllegalArgumentException if an id does not fit the token type; nothing was added then
   */
  public void addSequence(int[] tokens, int offset, int length) throws IOException {
    requireOpen();
    Objects.checkFromIndexSize(offset, length, tokens.length);
    type.requireFit(tokens, offset, length);
    type.append(tokens, offset, length, data);
    addLength(length);
  }

  /**
   * Appends one sequence of this mode, which may be empty, to the current document.
   *
   * @throws IllegalArgumentException if an id does not fit the token type; nothing was added then
   * @throws IllegalStateException if the dataset is not multimodal
   */
  public void addSequence(int[] tokens, int offset, int length, byte mode) throws IOException {
    requireOpen();
    requireModes();
    Objects.checkFromIndexSize(offset, length, tokens.length);
    type.requireFit(tokens, offset, length);
    type.append(tokens, offset, length, data);
    addLength(length, mode);
  }

  /**
   * Appends one sequence of elements that need not be {@code int}.
   *
   * @throws IllegalArgumentException if an element is not one of the token type's values exactly;
   *     nothing was added then
   */
  public void addSequence(long[] elements, int offset, int length) throws IOException {
    requireOpen();
    Objects.checkFromIndexSize(offset, length, elements.length);
    ByteBuffer one = ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = offset; i < offset + length; i++) {
      type.put(one.clear(), elements[i]);
    }
    for (int i = offset; i < offset + length; i++) {
      type.put(data.reserve(type.bytes()), elements[i]);
    }
    addLength(length);
  }

  /**
   * Appends one sequence of elements that need not be {@code int}.
   *
   * @throws IllegalArgumentException if an element is not one of the token type's values exactly;
   *     nothing was added then
   */
  public void addSequence(double[] elements, int offset, int length) throws IOException {
    requireOpen();
    Objects.checkFromIndexSize(offset, length, elements.length);
    ByteBuffer one = ByteBuffer.allocate(Double.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = offset; i < offset + length; i++) {
      type.put(one.clear(), elements[i]);
    }
    for (int i = offset; i < offset + length; i++) {
      type.put(data.reserve(type.bytes()), elements[i]);
    }
    addLength(length);
  }

  /**
   * Appends a whole document: sequences of these lengths, which the tokens are in order. The last
   * document must have been ended. Without lengths it is an empty document.
   *
   * @throws IllegalArgumentException if the lengths do not add up to the tokens, or an id does not
   *     fit the token type; nothing was added then
   */
  public void addDocument(int[] tokens, int[] sequenceLengths) throws IOException {
    addDocument(tokens, sequenceLengths, null);
  }

  /**
   * Appends a whole document with the mode of each of its sequences.
   *
   * @throws IllegalArgumentException as for {@link #addDocument(int[], int[])}, or if the modes are
   *     not as many as the lengths
   * @throws IllegalStateException if the dataset is not multimodal
   */
  public void addDocument(int[] tokens, int[] sequenceLengths, byte @Nullable [] sequenceModes)
      throws IOException {
    requireOpen();
    requireEnded();
    long total = 0;
    for (int length : sequenceLengths) {
      if (length < 0) {
        throw new IllegalArgumentException("a sequence length is negative: " + length);
      }
      total += length;
    }
    if (total != tokens.length) {
      throw new IllegalArgumentException(
          "the sequence lengths add up to " + total + ", the tokens are " + tokens.length);
    }
    if (sequenceModes != null) {
      requireModes();
      if (sequenceModes.length != sequenceLengths.length) {
        throw new IllegalArgumentException(
            sequenceModes.length + " modes for " + sequenceLengths.length + " sequences");
      }
    }
    type.requireFit(tokens, 0, tokens.length);
    type.append(tokens, 0, tokens.length, data);
    for (int i = 0; i < sequenceLengths.length; i++) {
      addLength(sequenceLengths[i], sequenceModes == null ? 0 : sequenceModes[i]);
    }
    endDocument();
  }

  /**
   * Appends documents of another dataset: Megatron's {@code add_index}, for a range of documents.
   * Bytes are copied as they are, pointers made anew.
   *
   * @param source a dataset of this token type, with modes exactly if this one has
   * @param firstDocument the first document wanted
   * @param count how many
   * @throws IllegalArgumentException if the token type or the modes differ; nothing was added then
   * @throws CorruptDatasetException if the source's index contradicts itself; this writer can then
   *     only be closed
   */
  public void append(IndexedDataset source, long firstDocument, long count) throws IOException {
    requireOpen();
    Objects.checkFromIndexSize(firstDocument, count, source.documentCount());
    if (source.tokenType() != type) {
      throw new IllegalArgumentException(
          source.location() + " has " + source.tokenType() + " tokens, not " + type);
    }
    if (source.sequenceCount() > 0 && source.hasModes() != isMultimodal()) {
      throw new IllegalArgumentException(
          source.location()
              + (source.hasModes()
                  ? " has sequence modes, this dataset has none"
                  : " has no modes"));
    }
    requireEnded();
    boolean complete = false;
    try {
      appendChecked(source, firstDocument, count);
      complete = true;
    } finally {
      sealed |= !complete;
    }
  }

  private void appendChecked(IndexedDataset source, long firstDocument, long count)
      throws IOException {
    long first = source.firstSequence(firstDocument);
    long end = source.firstSequence(firstDocument + count);
    appendSequences(source, first, end);
    long shift = sequenceCount - end;
    long previous = first;
    for (long d = firstDocument + 1; d <= firstDocument + count; d++) {
      long next = source.firstSequence(d);
      if (next < previous || next > end) {
        throw new CorruptDatasetException(
            source.index().path(),
            source.header().documentAt(d),
            "first sequence of document " + d,
            previous + " to " + end,
            next);
      }
      documents.putLong(next + shift);
      previous = next;
    }
    documentCount += count;
    documentedSequenceCount = sequenceCount;
  }

  /** Lengths, modes and bytes of the sequences from {@code first} up to {@code end}. */
  private void appendSequences(IndexedDataset source, long first, long end) throws IOException {
    long startByte = -1;
    long bytes = 0;
    for (long from = first; from < end; from += COPY_SEQUENCES) {
      int some = (int) Math.min(COPY_SEQUENCES, end - from);
      int[] chunk = source.sequenceLengths(from, some);
      TokenSpan span = source.span(from, some); // checks the lengths against the pointers
      if (startByte < 0) {
        startByte = span.byteOffset();
      }
      if (span.byteOffset() != startByte + bytes) {
        throw new CorruptDatasetException(
            source.index().path(),
            source.header().pointerAt(from),
            "pointer of sequence " + from,
            startByte + bytes,
            span.byteOffset());
      }
      for (int i = 0; i < some; i++) {
        lengths.putInt(chunk[i]);
        if (modes != null) {
          modes.reserve(1).put(source.mode(from + i));
        }
      }
      bytes += span.length() * type.bytes();
    }
    sequenceCount += end - first;
    if (bytes > 0) {
      source.copyData(startByte, bytes, data);
    }
  }

  /**
   * Appends a whole document whose tokens are encoded already, as {@link TokenType#encode} does:
   * for tokens that another thread has checked and encoded.
   *
   * @param bytes the tokens' bytes, {@code byteCount} of them from {@code byteOffset} on
   * @param sequenceLengths the tokens of each sequence, {@code sequences} of them from {@code
   *     firstSequence} on
   * @throws IllegalArgumentException if the lengths do not add up to the bytes; nothing was added
   *     then
   */
  public void addEncodedDocument(
      byte[] bytes,
      int byteOffset,
      int byteCount,
      int[] sequenceLengths,
      int firstSequence,
      int sequences)
      throws IOException {
    requireOpen();
    requireEnded();
    Objects.checkFromIndexSize(byteOffset, byteCount, bytes.length);
    Objects.checkFromIndexSize(firstSequence, sequences, sequenceLengths.length);
    long total = 0;
    for (int i = firstSequence; i < firstSequence + sequences; i++) {
      if (sequenceLengths[i] < 0) {
        throw new IllegalArgumentException("a sequence length is negative: " + sequenceLengths[i]);
      }
      total += sequenceLengths[i];
    }
    if (total * type.bytes() != byteCount) {
      throw new IllegalArgumentException(
          total + " tokens of " + type + " in " + byteCount + " bytes");
    }
    data.put(bytes, byteOffset, byteCount);
    for (int i = firstSequence; i < firstSequence + sequences; i++) {
      addLength(sequenceLengths[i]);
    }
    endDocument();
  }

  private void addLength(int length) throws IOException {
    addLength(length, (byte) 0);
  }

  private void addLength(int length, byte mode) throws IOException {
    lengths.putInt(length);
    if (modes != null) {
      modes.reserve(1).put(mode);
    }
    sequenceCount++;
  }

  /** Ends the current document; with no sequence since the last end, it is an empty document. */
  public void endDocument() throws IOException {
    requireOpen();
    documents.putLong(sequenceCount);
    documentCount++;
    documentedSequenceCount = sequenceCount;
  }

  /** Something to do now and then while much is copied. */
  @FunctionalInterface
  public interface Step {
    /** Does it. */
    void run() throws IOException;
  }

  /**
   * Appends everything that other writers, which are not sealed yet and of this token type, have
   * been given. What this one has already must be the beginning of just that, down to a half-copied
   * file, so an interrupted copy is gone on with by the same call.
   *
   * @param step is run after every piece
   */
  public void appendWritten(List<IndexedDatasetWriter> parts, Step step) throws IOException {
    requireOpen();
    byte[] bytes = new byte[COPY_BYTES];
    long dataBase = 0;
    long lengthsBase = 0;
    for (IndexedDatasetWriter part : parts) {
      if (part.type != type || part.modes != null || modes != null) {
        throw new IllegalArgumentException("only datasets of one token type, and without modes");
      }
      appendWritten(part.data, dataBase, data, bytes, step);
      appendWritten(part.lengths, lengthsBase, lengths, bytes, step);
      dataBase += part.data.bytes();
      lengthsBase += part.lengths.bytes();
    }
    sequenceCount = lengths.bytes() / Integer.BYTES;
    documentedSequenceCount = sequenceCount;
    long documentsBase = 0;
    long sequencesBase = 0;
    for (IndexedDatasetWriter part : parts) {
      part.documents.flush();
      while (documentCount < documentsBase + part.documentCount) {
        long d = documentCount - documentsBase;
        int some = (int) Math.min(COPY_BYTES / Long.BYTES, part.documentCount - d);
        ByteBuffer entries = ByteBuffer.wrap(bytes, 0, some * Long.BYTES);
        part.documents.readBack((d + 1) * Long.BYTES, entries);
        entries.flip().order(ByteOrder.LITTLE_ENDIAN);
        while (entries.hasRemaining()) {
          documents.putLong(sequencesBase + entries.getLong());
        }
        documentCount += some;
        step.run();
      }
      documentsBase += part.documentCount;
      sequencesBase += part.sequenceCount;
    }
  }

  /** Appends a file to another that holds {@code base} bytes and perhaps some of these. */
  private static void appendWritten(
      PendingFile from, long base, PendingFile to, byte[] bytes, Step step) throws IOException {
    from.flush();
    for (long at = to.bytes() - base; at < from.bytes(); at = to.bytes() - base) {
      to.put(bytes, 0, readBack(from, at, bytes).limit());
      step.run();
    }
  }

  /**
   * Makes the dataset appear under its name. Nothing can be added afterwards.
   *
   * @throws IllegalStateException if the last sequence belongs to no document
   */
  public void finish() throws IOException {
    sealUnhashed();
    FileCommit.commit(files(), commitListener);
  }

  /**
   * The two files, {@code .idx} last, which is the order in which they must appear: for a {@link
   * FileCommit} of several datasets together, after {@link #seal} of each, instead of {@link
   * #finish}.
   */
  public List<PendingFile> files() {
    return List.of(data, index);
  }

  /** SHA-256 of both files, from {@link #seal}. */
  public record Hashes(String data, String index) {}

  /**
   * Writes the index and flushes both files to disk, for a commit by the caller. Nothing can be
   * added afterwards.
   *
   * @throws IllegalStateException if the last sequence belongs to no document
   */
  public Hashes seal() throws IOException {
    sealIndex();
    return new Hashes(data.seal(), index.seal());
  }

  /** Like {@link #seal}, where nobody wants the hashes. */
  void sealUnhashed() throws IOException {
    sealIndex();
    data.sealUnhashed();
    index.sealUnhashed();
  }

  private void sealIndex() throws IOException {
    requireOpen();
    requireEnded();
    sealed = true;
    index.put(new IndexHeader(type, sequenceCount, documentCount + 1).toBytes());
    lengths.flush();
    documents.flush();
    if (modes != null) {
      modes.flush();
    }
    writeIndexArrays();
    lengths.close();
    documents.close();
    if (modes != null) {
      modes.close();
    }
  }

  private void writeIndexArrays() throws IOException {
    byte[] bytes = new byte[COPY_BYTES];
    copy(lengths, bytes);
    long pointer = 0;
    for (long at = 0; at < lengths.bytes(); at += COPY_BYTES) {
      ByteBuffer chunk = readBack(lengths, at, bytes).order(ByteOrder.LITTLE_ENDIAN);
      while (chunk.hasRemaining()) {
        index.putLong(pointer);
        pointer += (long) chunk.getInt() * type.bytes();
      }
    }
    if (pointer != data.bytes()) {
      throw new IllegalStateException(
          "the sequences have " + pointer + " bytes, the data file " + data.bytes());
    }
    copy(documents, bytes);
    if (modes != null) {
      copy(modes, bytes);
    }
  }

  private void copy(PendingFile spool, byte[] bytes) throws IOException {
    for (long at = 0; at < spool.bytes(); at += COPY_BYTES) {
      index.put(bytes, 0, readBack(spool, at, bytes).limit());
    }
  }

  private static ByteBuffer readBack(PendingFile spool, long at, byte[] bytes) throws IOException {
    int count = (int) Math.min(bytes.length, spool.bytes() - at);
    ByteBuffer chunk = ByteBuffer.wrap(bytes, 0, count);
    spool.readBack(at, chunk);
    return chunk.flip();
  }

  private void requireEnded() {
    if (documentedSequenceCount != sequenceCount) {
      throw new IllegalStateException("the last document was not ended");
    }
  }

  private void requireModes() {
    if (modes == null) {
      throw new IllegalStateException("the dataset is not multimodal: it has no sequence modes");
    }
  }

  private void requireOpen() {
    if (sealed) {
      throw new IllegalStateException("the dataset is finished or closed");
    }
  }

  /** Deletes what was written unless it was finished. Idempotent. */
  @Override
  public void close() throws IOException {
    sealed = true;
    opened.close();
  }
}
