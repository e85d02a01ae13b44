package io.github.pretrain4j.dataset.preprocess;

import io.github.pretrain4j.dataset.sentences.SentenceSplitter;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** Encodes the lines of blocks, by the rules of {@link Preprocessor}, on one thread. */
final class LineEncoder {
  private static final int PIECE_CHARACTERS = 1_000_000;

  private final EncodeOptions options;
  private final TokenEncoder encoder;
  private final JsonLineScanner scanner;

  LineEncoder(EncodeOptions options, TokenEncoder encoder) {
    this.options = options;
    this.encoder = encoder;
    this.scanner = new JsonLineScanner(options.keys());
  }

  /**
   * Encodes all lines of a block.
   *
   * @throws EncodedBlock.BlockFailure for the first bad line, if that is to end everything
   */
  void encode(EncodedBlock block) throws EncodedBlock.BlockFailure {
    LineBlock lines = block.lines;
    int start = 0;
    while (start < lines.length) {
      int end;
      try {
        end = scanner.scan(lines.bytes, start, lines.length);
        for (int key = 0; key < options.keys().size(); key++) {
          encodeDocument(block.column(key), key, start);
        }
        block.endDocument();
      } catch (BadLine e) {
        if (options.failFast()) {
          throw new EncodedBlock.BlockFailure(lines, block.lineCount(), e);
        }
        end = lines.lineEnd(start);
        block.reject(e, start, end);
      } catch (IllegalArgumentException e) {
        throw new IllegalArgumentException(place(lines, start) + ": " + e.getMessage(), e);
      } catch (RuntimeException e) {
        e.addSuppressed(new IllegalStateException("while encoding " + place(lines, start)));
        throw e;
      }
      start = lines.nextLine(end);
    }
  }

  private static String place(LineBlock lines, int start) {
    return lines.file + ": the line at byte " + (lines.byteOffset + start);
  }

  /** Texts without tokens leave no trace, the eod joins the last sequence. */
  private void encodeDocument(EncodedBlock.Column column, int key, int at) throws BadLine {
    int firstSequence = column.sequenceCount();
    SentenceSplitter splitter = options.splitter();
    for (int i = 0; i < scanner.textCount(key); i++) {
      byte[] bytes = scanner.textBytes(key, i);
      int start = scanner.textStart(key, i);
      int length = scanner.textEnd(key, i) - start;
      if (splitter == null) {
        encodeText(column, bytes, start, length, at);
      } else {
        encodeSentences(
            column, new String(bytes, start, length, StandardCharsets.UTF_8), splitter, at);
      }
    }
    if (options.appendEod() && column.sequenceCount() > firstSequence) {
      column.sink.add(options.eodId());
      column.lengthenLastSequence();
    }
    column.sink.requireFit();
  }

  private void encodeSentences(
      EncodedBlock.Column column, String text, SentenceSplitter splitter, int at) throws BadLine {
    for (String piece : pieces(text)) {
      for (String sentence : splitter.split(piece)) {
        byte[] utf8 = sentence.getBytes(StandardCharsets.UTF_8);
        encodeText(column, utf8, 0, utf8.length, at);
      }
    }
  }

  /** Megatron cuts a text, here too, before it looks for sentences. */
  private static List<String> pieces(String text) {
    List<String> pieces = new ArrayList<>();
    int from = 0;
    while (text.codePointCount(from, text.length()) > PIECE_CHARACTERS) {
      int to = text.offsetByCodePoints(from, PIECE_CHARACTERS);
      pieces.add(text.substring(from, to));
      from = to;
    }
    pieces.add(text.substring(from));
    return pieces;
  }

  private void encodeText(EncodedBlock.Column column, byte[] utf8, int start, int length, int at)
      throws BadLine {
    int before = column.sink.tokenCount();
    try {
      encoder.encode(utf8, start, length, column.sink);
    } catch (IllegalArgumentException e) {
      String message = e.getMessage();
      throw new BadLine(
          at, "a text the tokenizer can encode", message == null ? e.toString() : message, e);
    }
    int count = column.sink.tokenCount() - before;
    if (count > 0) {
      column.addSequence(count);
    }
  }
}
