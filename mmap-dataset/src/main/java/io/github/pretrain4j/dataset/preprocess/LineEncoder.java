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
  private final LineParser parser;

  LineEncoder(EncodeOptions options, TokenEncoder encoder) {
    this.options = options;
    this.encoder = encoder;
    this.parser = new LineParser(options.keys());
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
      int end = lines.lineEnd(start);
      try {
        encodeLine(block, start, end);
        block.endDocument();
      } catch (LineParser.BadLine e) {
        if (options.failFast()) {
          throw new EncodedBlock.BlockFailure(lines, block.lineCount(), e);
        }
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

  private void encodeLine(EncodedBlock block, int start, int end) throws LineParser.BadLine {
    List<List<String>> texts = parser.parse(block.lines.bytes, start, end);
    for (int key = 0; key < texts.size(); key++) {
      encodeDocument(block.column(key), texts.get(key), start);
    }
  }

  /** Texts without tokens leave no trace, the eod joins the last sequence. */
  private void encodeDocument(EncodedBlock.Column column, List<String> texts, int at)
      throws LineParser.BadLine {
    int firstSequence = column.sequenceCount();
    SentenceSplitter splitter = options.splitter();
    for (String text : texts) {
      if (splitter == null) {
        encodeText(column, text, at);
      } else {
        for (String piece : pieces(text)) {
          for (String sentence : splitter.split(piece)) {
            encodeText(column, sentence, at);
          }
        }
      }
    }
    if (options.appendEod() && column.sequenceCount() > firstSequence) {
      column.sink.add(options.eodId());
      column.lengthenLastSequence();
    }
    column.sink.requireFit();
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

  private void encodeText(EncodedBlock.Column column, String text, int at)
      throws LineParser.BadLine {
    byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
    int before = column.sink.tokenCount();
    try {
      encoder.encode(utf8, 0, utf8.length, column.sink);
    } catch (IllegalArgumentException e) {
      String message = e.getMessage();
      throw new LineParser.BadLine(
          at, "a text the tokenizer can encode", message == null ? e.toString() : message, e);
    }
    int count = column.sink.tokenCount() - before;
    if (count > 0) {
      column.addSequence(count);
    }
  }
}
