package io.github.pretrain4j.dataset.preprocess;

import io.github.pretrain4j.dataset.IndexedDatasetWriter;
import io.github.pretrain4j.dataset.TokenType;
import io.github.pretrain4j.dataset.sentences.SentenceSplitter;
import io.github.pretrain4j.dataset.storage.Scope;
import java.io.EOFException;
import java.io.IOException;
import java.io.Serializable;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Preprocesses a {@link LineRange} on the calling thread, by the rules and with the bytes of {@link
 * Preprocessor}: the datasets of consecutive ranges put together are those of all their lines.
 */
public final class LineRangeEncoder {
  private static final int BLOCK_BYTES = 1 << 18;
  private static final int MAX_LINE_BYTES = 1 << 30;
  private static final int HEAP_PER_LINE_BYTE = 16;

  private LineRangeEncoder() {}

  /**
   * How lines become ids; what {@link Preprocessor.Config} says of it, for another machine.
   *
   * @param jsonKeys the fields whose texts are encoded, each into a dataset of its own
   * @param appendEod whether each document that is not empty ends with the eod
   * @param eodId the id of the eod
   * @param vocabularySize number of ids of the tokenizer, without padding
   */
  public record Options(List<String> jsonKeys, boolean appendEod, int eodId, int vocabularySize)
      implements Serializable {
    private static final long serialVersionUID = 1L;

    /** Copies. */
    public Options {
      jsonKeys = List.copyOf(jsonKeys);
    }
  }

  /** What one key's dataset has. */
  public record Counts(long documents, long sequences, long tokens) implements Serializable {
    private static final long serialVersionUID = 1L;
  }

  /**
   * Encodes the lines of a range. The datasets are complete on disk afterwards, or absent.
   *
   * @param encoder makes ids
   * @param splitter makes sentences of texts, or null to leave them whole
   * @param prefixes where the datasets go, one for each key
   * @return one for each key
   * @throws MalformedLineException for the first bad line, numbered as in the whole file
   */
  public static List<Counts> encode(
      LineRange range,
      Options options,
      TokenEncoder encoder,
      @Nullable SentenceSplitter splitter,
      List<Path> prefixes)
      throws IOException {
    TokenType type = TokenType.forVocabularySize(options.vocabularySize());
    EncodeOptions encoding =
        new EncodeOptions(
            options.jsonKeys(), options.appendEod(), options.eodId(), type, splitter, true);
    Scope opened = new Scope();
    try {
      List<IndexedDatasetWriter> writers = new ArrayList<>();
      for (Path prefix : prefixes) {
        IndexedDatasetWriter writer = IndexedDatasetWriter.create(prefix, type);
        opened.add(writer::close);
        writers.add(writer);
      }
      encode(
          range,
          new LineEncoder(encoding, encoder),
          new EncodedBlock(prefixes.size(), type),
          writers);
      List<Counts> counts = new ArrayList<>();
      for (IndexedDatasetWriter writer : writers) {
        writer.finish();
        counts.add(new Counts(writer.documentCount(), writer.sequenceCount(), writer.tokenCount()));
      }
      opened.close();
      return counts;
    } catch (IOException | RuntimeException | Error e) {
      opened.closeAfter(e);
      throw e;
    }
  }

  private static void encode(
      LineRange range, LineEncoder encoder, EncodedBlock block, List<IndexedDatasetWriter> writers)
      throws IOException {
    Path file = Path.of(range.file());
    long linesBefore = 0; // of this range
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      LineBlock lines = block.lines;
      for (long at = range.from(); at < range.to(); at += lines.length) {
        block.clear();
        lines.file = file;
        lines.byteOffset = at;
        fill(channel, lines, range.to());
        try {
          encoder.encode(block);
        } catch (EncodedBlock.BlockFailure e) {
          throw malformed(channel, range, at, linesBefore + e.line, e.badLine);
        }
        linesBefore += block.lineCount();
        for (int key = 0; key < writers.size(); key++) {
          block.writeTo(key, writers.get(key));
        }
      }
    }
  }

  /** Reads whole lines from the block's offset on: about a block of them, at least one. */
  private static void fill(FileChannel channel, LineBlock lines, long to) throws IOException {
    int limit =
        (int) Math.min(MAX_LINE_BYTES, Runtime.getRuntime().maxMemory() / HEAP_PER_LINE_BYTE);
    long left = to - lines.byteOffset;
    for (long wanted = BLOCK_BYTES; ; wanted *= 2) {
      int length = (int) Math.min(left, Math.min(wanted, limit));
      if (lines.bytes.length < length) {
        lines.bytes = new byte[length];
      }
      readFully(channel, ByteBuffer.wrap(lines.bytes, 0, length), lines);
      lines.length = length == left ? length : endOfLastLine(lines.bytes, length);
      if (lines.length > 0) {
        return;
      }
      if (length == limit) {
        throw malformed(
            channel,
            new LineRange(lines.file.toString(), lines.byteOffset, to),
            lines.byteOffset,
            0,
            new BadLine(
                0,
                "a line of up to " + limit + " bytes (a larger heap, -Xmx, allows more)",
                "a longer one",
                null));
      }
    }
  }

  private static void readFully(FileChannel channel, ByteBuffer into, LineBlock lines)
      throws IOException {
    long at = lines.byteOffset;
    while (into.hasRemaining()) {
      int read = channel.read(into, at);
      if (read < 0) {
        throw new EOFException(
            lines.file + ": expected more than " + at + " bytes, as there were before");
      }
      at += read;
    }
  }

  /** Ends of lines that are a carriage return alone do not end a block. */
  private static int endOfLastLine(byte[] bytes, int length) {
    int end = length;
    while (end > 0 && bytes[end - 1] != '\n') {
      end--;
    }
    return end;
  }

  private static MalformedLineException malformed(
      FileChannel channel, LineRange range, long blockOffset, long lineInRange, BadLine bad)
      throws IOException {
    return new MalformedLineException(
        Path.of(range.file()),
        countLines(channel, range.from()) + lineInRange + 1,
        blockOffset + bad.at,
        bad.expected,
        bad.found,
        bad.getCause());
  }

  /** Lines of the file before a byte that begins one. */
  private static long countLines(FileChannel channel, long to) throws IOException {
    ByteBuffer buffer = ByteBuffer.allocate(1 << 16);
    long count = 0;
    byte last = 0;
    for (long at = 0; at < to; at += buffer.limit()) {
      buffer.clear().limit((int) Math.min(buffer.capacity(), to - at));
      if (channel.read(buffer, at) < 0) {
        break;
      }
      buffer.flip();
      while (buffer.hasRemaining()) {
        byte b = buffer.get();
        if (b == '\r' || (b == '\n' && last != '\r')) {
          count++;
        }
        last = b;
      }
    }
    return count;
  }
}
