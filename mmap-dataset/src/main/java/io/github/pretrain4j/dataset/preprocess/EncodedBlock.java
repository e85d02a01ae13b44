package io.github.pretrain4j.dataset.preprocess;

import io.github.pretrain4j.dataset.IndexedDatasetWriter;
import io.github.pretrain4j.dataset.TokenType;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * The documents of one block of lines, encoded: for each key the bytes of its tokens, the lengths
 * of its sequences, and which of both are whose. Document {@code i} is the {@code i}-th line that
 * was not rejected. Whoever got it from {@link PreprocessPipeline#next} has it until the next call.
 */
final class EncodedBlock {
  /** What a block keeps for the next lines; one line may need more for itself. */
  private static final int MAX_KEPT_BYTES = 1 << 21;

  private static final int FIRST_ENTRIES = 256;

  final LineBlock lines = new LineBlock();
  private final Column[] columns;
  private final List<RejectedLine> rejected = new ArrayList<>();
  private int documentCount;
  private int lineCount;
  private long linesBefore;

  EncodedBlock(int keys, TokenType type) {
    this.columns = new Column[keys];
    for (int i = 0; i < keys; i++) {
      columns[i] = new Column(type);
    }
  }

  /** A line could not be encoded. */
  static final class BlockFailure extends Exception {
    private static final long serialVersionUID = 1L;

    final transient LineBlock lines;
    final int line; // within the block, from 0
    final BadLine badLine;

    BlockFailure(LineBlock lines, int line, BadLine badLine) {
      super(badLine);
      this.lines = lines;
      this.line = line;
      this.badLine = badLine;
    }
  }

  // ---- for the worker

  /** What one key's documents become. */
  static final class Column {
    final TokenSink sink;
    private int[] lengths = new int[FIRST_ENTRIES];
    private int sequenceCount;
    private int[] sequenceEnds = new int[FIRST_ENTRIES];
    private int[] byteEnds = new int[FIRST_ENTRIES];

    Column(TokenType type) {
      sink = new TokenSink(type);
    }

    /** Number of sequences. */
    int sequenceCount() {
      return sequenceCount;
    }

    /** Declares a sequence of this many tokens, which are in the sink. */
    void addSequence(int length) {
      if (sequenceCount == lengths.length) {
        lengths = Arrays.copyOf(lengths, 2 * sequenceCount);
      }
      lengths[sequenceCount++] = length;
    }

    /** Lets the last sequence have one token more, which is in the sink. */
    void lengthenLastSequence() {
      lengths[sequenceCount - 1]++;
    }

    private int sequenceStart(int document) {
      return document == 0 ? 0 : sequenceEnds[document - 1];
    }

    private int byteStart(int document) {
      return document == 0 ? 0 : byteEnds[document - 1];
    }

    private void endDocument(int document) {
      if (document == sequenceEnds.length) {
        sequenceEnds = Arrays.copyOf(sequenceEnds, 2 * document);
        byteEnds = Arrays.copyOf(byteEnds, 2 * document);
      }
      sequenceEnds[document] = sequenceCount;
      byteEnds[document] = sink.byteCount();
    }

    private void truncate(int documents) {
      sequenceCount = sequenceStart(documents);
      sink.truncate(byteStart(documents));
    }

    private void clear() {
      sequenceCount = 0;
      sink.clear(MAX_KEPT_BYTES);
      if (lengths.length > MAX_KEPT_BYTES / Integer.BYTES) {
        lengths = new int[FIRST_ENTRIES];
      }
      if (sequenceEnds.length > MAX_KEPT_BYTES / Integer.BYTES) {
        sequenceEnds = new int[FIRST_ENTRIES];
        byteEnds = new int[FIRST_ENTRIES];
      }
    }
  }

  /** Where a key's documents go. */
  Column column(int key) {
    return columns[key];
  }

  /** Lines so far, rejected ones included. */
  int lineCount() {
    return lineCount;
  }

  /** Ends the current line's document for every key. */
  void endDocument() {
    for (Column column : columns) {
      column.endDocument(documentCount);
    }
    documentCount++;
    lineCount++;
  }

  /** Forgets what the current line has given so far and notes why it is left out. */
  void reject(BadLine problem, int from, int to) {
    for (Column column : columns) {
      column.truncate(documentCount);
    }
    rejected.add(
        new RejectedLine(
            lines.file,
            ++lineCount,
            lines.byteOffset + problem.at,
            problem.expected,
            problem.found,
            Arrays.copyOfRange(lines.bytes, from, to)));
  }

  /** Makes room for other lines. */
  void clear() {
    for (Column column : columns) {
      column.clear();
    }
    rejected.clear();
    documentCount = 0;
    lineCount = 0;
    if (lines.bytes.length > MAX_KEPT_BYTES) {
      lines.bytes = new byte[0];
    }
  }

  // ---- for the caller of the pipeline

  /** Says how many lines of the input come before, which no worker knows. */
  void setLinesBefore(long count) {
    linesBefore = count;
    rejected.replaceAll(
        line ->
            new RejectedLine(
                line.file(),
                count + line.lineNumber(),
                line.byteOffset(),
                line.expected(),
                line.found(),
                line.bytes()));
  }

  /** The input that the lines are from. */
  Path file() {
    return lines.file;
  }

  /** The place behind the last line. */
  InputPosition end() {
    return new InputPosition(lines.input, lines.byteOffset + lines.length, linesBefore + lineCount);
  }

  /** SHA-256 of the decompressed input from its start to {@link #end}. */
  byte[] prefixSha256() {
    return lines.prefixSha256;
  }

  /** The digest of the input, if it ends with this block. */
  Optional<InputDigest> finishedInput() {
    return Optional.ofNullable(lines.finished);
  }

  /** Bytes of the decompressed input that this block was. */
  int inputBytes() {
    return lines.length;
  }

  /** Bytes of all files, as they are, that were read up to this block; for showing progress. */
  long rawBytesRead() {
    return lines.rawBytes;
  }

  /** Number of documents, empty ones included; the same for every key. */
  int documentCount() {
    return documentCount;
  }

  /** The lines that gave no document, in their order. */
  List<RejectedLine> rejected() {
    return List.copyOf(rejected);
  }

  /** Number of sequences of one document. */
  int sequenceCount(int key, int document) {
    return columns[key].sequenceEnds[document] - columns[key].sequenceStart(document);
  }

  /** Bytes of tokens of one document. */
  int tokenBytes(int key, int document) {
    return columns[key].byteEnds[document] - columns[key].byteStart(document);
  }

  /** Appends all documents of a key. */
  void writeTo(int key, IndexedDatasetWriter writer) throws IOException {
    writeTo(key, 0, documentCount, writer);
  }

  /** Appends documents {@code from} to {@code to} of a key. */
  void writeTo(int key, int from, int to, IndexedDatasetWriter writer) throws IOException {
    Column column = columns[key];
    for (int document = from; document < to; document++) {
      int start = column.byteStart(document);
      int sequence = column.sequenceStart(document);
      writer.addEncodedDocument(
          column.sink.bytes(),
          start,
          column.byteEnds[document] - start,
          column.lengths,
          sequence,
          column.sequenceEnds[document] - sequence);
    }
  }
}
