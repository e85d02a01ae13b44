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

  private final TokenType type;
  private final PendingFile data;
  private final PendingFile index;
  private final PendingFile lengths;
  private final PendingFile documents;
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
      Scope opened) {
    this.opened = opened;
    this.type = type;
    this.data = data;
    this.index = index;
    this.lengths = lengths;
    this.documents = documents;
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

  /**
   * Appends one sequence, which may be empty, to the current document.
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

  /** Appends the bytes of sequences that {@link #addLength} declares. */
  public void addEncoded(byte[] bytes, int offset, int length) throws IOException {
    requireOpen();
    data.put(bytes, offset, length);
  }

  /** Declares a sequence of this many tokens, whose bytes {@link #addEncoded} got or will get. */
  public void addLength(int length) throws IOException {
    lengths.putInt(length);
    sequenceCount++;
  }

  /** Ends the current document; with no sequence since the last end, it is an empty document. */
  public void endDocument() throws IOException {
    requireOpen();
    documents.putLong(sequenceCount);
    documentCount++;
    documentedSequenceCount = sequenceCount;
  }

  /**
   * Makes the dataset appear under its name. Nothing can be added afterwards.
   *
   * @throws IllegalStateException if the last sequence belongs to no document
   */
  public void finish() throws IOException {
    seal();
    FileCommit.commit(files(), commitListener);
  }

  /** The two files, in the order in which they must appear. */
  public List<PendingFile> files() {
    return List.of(data, index);
  }

  /** SHA-256 of both files, from {@link #seal}. */
  public record Hashes(String data, String index) {}

  /** Writes the index and flushes both files to disk. */
  public Hashes seal() throws IOException {
    requireOpen();
    if (documentedSequenceCount != sequenceCount) {
      throw new IllegalStateException("the last document was not ended");
    }
    sealed = true;
    String dataHash = data.seal();
    index.put(new IndexHeader(type, sequenceCount, documentCount + 1).toBytes());
    lengths.flush();
    documents.flush();
    writeIndexArrays();
    String indexHash = index.seal();
    lengths.close();
    documents.close();
    return new Hashes(dataHash, indexHash);
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
