package io.github.pretrain4j.dataset.preprocess;

import io.github.pretrain4j.dataset.IndexedDatasetWriter;
import io.github.pretrain4j.dataset.TokenType;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;

/** The documents of one block of lines, encoded: for each key what its writer has to append. */
final class EncodedBlock {
  private static final int FIRST_BYTES = 1 << 16;
  private static final int FIRST_ENTRIES = 256;

  final LineBlock lines;
  private final Column[] columns;
  private int documentCount;

  private EncodedBlock(LineBlock lines, int keys) {
    this.lines = lines;
    this.columns = new Column[keys];
    for (int i = 0; i < keys; i++) {
      columns[i] = new Column();
    }
  }

  /** A line could not be encoded. */
  static final class BlockFailure extends Exception {
    private static final long serialVersionUID = 1L;

    final transient LineBlock lines;
    final int line; // within the block, from 0
    final LineParser.BadLine badLine;

    BlockFailure(LineBlock lines, int line, LineParser.BadLine badLine) {
      super(badLine);
      this.lines = lines;
      this.line = line;
      this.badLine = badLine;
    }
  }

  /** Encodes all lines of a block. */
  static EncodedBlock encode(LineBlock lines, Preprocessor.Config config, TokenEncoder encoder)
      throws BlockFailure {
    TokenType type = TokenType.forVocabularySize(config.vocabularySize());
    LineParser parser = new LineParser(config.jsonKeys());
    EncodedBlock block = new EncodedBlock(lines, config.jsonKeys().size());
    int start = 0;
    while (start < lines.length()) {
      int end = lines.lineEnd(start);
      try {
        List<List<String>> texts = parser.parse(lines.bytes(), start, end);
        for (int key = 0; key < block.columns.length; key++) {
          block.columns[key].addDocument(texts.get(key), start, config, type, encoder);
        }
      } catch (LineParser.BadLine e) {
        throw new BlockFailure(lines, block.documentCount, e);
      } catch (IllegalArgumentException e) {
        throw new IllegalArgumentException(place(lines, start) + ": " + e.getMessage(), e);
      } catch (RuntimeException e) {
        e.addSuppressed(new IllegalStateException("while encoding " + place(lines, start)));
        throw e;
      }
      block.documentCount++;
      start = lines.nextLine(end);
    }
    return block;
  }

  private static String place(LineBlock lines, int start) {
    return lines.file() + ": the line at byte " + (lines.byteOffset() + start);
  }

  int documentCount() {
    return documentCount;
  }

  /** Appends the documents of one key. */
  void writeTo(int key, IndexedDatasetWriter writer) throws IOException {
    columns[key].writeTo(writer, documentCount);
  }

  /** What one key's documents have become. */
  private static final class Column {
    private ByteBuffer tokens = ByteBuffer.allocate(FIRST_BYTES);
    private int[] lengths = new int[FIRST_ENTRIES];
    private int lengthCount;
    private int[] sequencesOfDocument = new int[FIRST_ENTRIES];
    private int documentCount;

    /** Appends a document: texts without tokens leave no trace, the eod joins the last sequence. */
    void addDocument(
        List<String> texts,
        int at,
        Preprocessor.Config config,
        TokenType type,
        TokenEncoder encoder)
        throws LineParser.BadLine {
      int firstLength = lengthCount;
      for (String text : texts) {
        int[] ids = encode(text, at, encoder);
        if (ids.length > 0) {
          add(ids, type);
          addLength(ids.length);
        }
      }
      if (config.appendEod() && lengthCount > firstLength) {
        add(new int[] {config.eodId()}, type);
        lengths[lengthCount - 1]++;
      }
      if (documentCount == sequencesOfDocument.length) {
        sequencesOfDocument = Arrays.copyOf(sequencesOfDocument, 2 * documentCount);
      }
      sequencesOfDocument[documentCount++] = lengthCount - firstLength;
    }

    private static int[] encode(String text, int at, TokenEncoder encoder)
        throws LineParser.BadLine {
      try {
        return encoder.encode(text);
      } catch (IllegalArgumentException e) {
        String message = e.getMessage();
        throw new LineParser.BadLine(
            at, "a text the tokenizer can encode", message == null ? e.toString() : message, e);
      }
    }

    private void add(int[] ids, TokenType type) {
      type.requireFit(ids, 0, ids.length);
      long needed = tokens.position() + (long) ids.length * type.bytes();
      if (needed > tokens.capacity()) {
        int capacity = Math.toIntExact(Math.min(Integer.MAX_VALUE - 8, 2 * needed));
        tokens = ByteBuffer.allocate(capacity).put(tokens.flip());
      }
      type.encode(ids, 0, ids.length, tokens);
    }

    private void addLength(int length) {
      if (lengthCount == lengths.length) {
        lengths = Arrays.copyOf(lengths, 2 * lengthCount);
      }
      lengths[lengthCount++] = length;
    }

    void writeTo(IndexedDatasetWriter writer, int documents) throws IOException {
      writer.addEncoded(tokens.array(), 0, tokens.position());
      int next = 0;
      for (int i = 0; i < documents; i++) {
        for (int j = 0; j < sequencesOfDocument[i]; j++) {
          writer.addLength(lengths[next++]);
        }
        writer.endDocument();
      }
    }
  }
}
