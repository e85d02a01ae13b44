package io.github.pretrain4j.tokenizer.tool;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.ByteArrayOutputStream;
import java.io.Closeable;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CoderResult;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Queue;
import org.jspecify.annotations.Nullable;

/**
 * The texts of some files, one after the other: the lines of a text file, or of a {@code .jsonl}
 * file the strings under some keys. A key whose value is a list gives every string of the list; a
 * key that is missing, or holds anything else, is an error. Lines end in a line feed, with or
 * without a carriage return before it. Failures come out of the iterator as {@link
 * UncheckedIOException}, around a {@link CorruptTextException} where a line is wrong.
 */
final class TextSource implements Iterator<String>, Closeable {
  private static final ObjectMapper JSON =
      new ObjectMapper().enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);
  private static final int MAX_LINE_BYTES = 1 << 28;

  private final Queue<Path> files;
  private final List<String> keys;
  private final Queue<String> texts = new ArrayDeque<>();
  private final byte[] chunk = new byte[1 << 16];
  private int chunkStart;
  private int chunkEnd;
  private @Nullable InputStream input;
  private Path file = Path.of("");
  private long line;
  private long lineOffset;
  private long nextOffset;

  TextSource(List<Path> files, List<String> keys) {
    this.files = new ArrayDeque<>(files);
    this.keys = keys;
  }

  @Override
  public boolean hasNext() {
    try {
      boolean more = true;
      while (texts.isEmpty() && more) {
        more = advance();
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return !texts.isEmpty();
  }

  @Override
  public String next() {
    if (!hasNext()) {
      throw new NoSuchElementException();
    }
    return texts.remove();
  }

  /** Reads one line, or opens or closes a file; false when there is no file left. */
  private boolean advance() throws IOException {
    InputStream in = input;
    if (in == null) {
      Path next = files.poll();
      if (next == null) {
        return false;
      }
      file = next;
      line = 0;
      nextOffset = 0;
      chunkStart = 0;
      chunkEnd = 0;
      in = Files.newInputStream(next);
      input = in;
    }
    byte[] bytes = readLine(in);
    if (bytes == null) {
      close();
      return true;
    }
    String text = decode(bytes);
    String name = file.toString();
    if (name.endsWith(".jsonl") || name.endsWith(".json")) {
      addValues(text);
    } else {
      texts.add(text);
    }
    return true;
  }

  /** The bytes of the next line without its end; null at the end of the file. */
  private byte @Nullable [] readLine(InputStream in) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    line++;
    lineOffset = nextOffset;
    while (true) {
      if (chunkStart == chunkEnd) {
        chunkStart = 0;
        chunkEnd = Math.max(0, in.read(chunk));
        if (chunkEnd == 0) {
          return nextOffset == lineOffset ? null : withoutCarriageReturn(bytes.toByteArray());
        }
      }
      int end = chunkStart;
      while (end < chunkEnd && chunk[end] != '\n') {
        end++;
      }
      if (bytes.size() + end - chunkStart > MAX_LINE_BYTES) {
        throw corrupt(lineOffset, "a line of at most " + MAX_LINE_BYTES + " bytes", "more");
      }
      bytes.write(chunk, chunkStart, end - chunkStart);
      nextOffset += end - chunkStart;
      chunkStart = end;
      if (end < chunkEnd) {
        chunkStart++;
        nextOffset++;
        return withoutCarriageReturn(bytes.toByteArray());
      }
    }
  }

  private static byte[] withoutCarriageReturn(byte[] bytes) {
    int last = bytes.length - 1;
    return last >= 0 && bytes[last] == '\r' ? Arrays.copyOf(bytes, last) : bytes;
  }

  private String decode(byte[] bytes) throws CorruptTextException {
    ByteBuffer in = ByteBuffer.wrap(bytes);
    CharBuffer out = CharBuffer.allocate(bytes.length);
    CoderResult result = StandardCharsets.UTF_8.newDecoder().decode(in, out, true);
    if (result.isError()) {
      int at = in.position();
      throw corrupt(lineOffset + at, "UTF-8", String.format("the byte 0x%02x", bytes[at] & 0xFF));
    }
    return out.flip().toString();
  }

  private void addValues(String text) throws IOException {
    if (text.isBlank()) {
      return;
    }
    JsonNode object;
    try {
      object = JSON.readTree(text);
    } catch (JsonProcessingException e) {
      CorruptTextException corrupt = corrupt(lineOffset, "a JSON object", e.getOriginalMessage());
      corrupt.initCause(e);
      throw corrupt;
    }
    if (!object.isObject()) {
      throw corrupt(lineOffset, "a JSON object", object.getNodeType());
    }
    for (String key : keys) {
      JsonNode value = object.get(key);
      if (value == null) {
        throw corrupt(lineOffset, "the key \"" + key + "\"", "no such key");
      }
      if (value.isArray()) {
        for (JsonNode element : value) {
          addText(element, "a list of texts under \"" + key + "\"");
        }
      } else {
        addText(value, "text under \"" + key + "\"");
      }
    }
  }

  private void addText(JsonNode value, String expected) throws CorruptTextException {
    if (!value.isTextual()) {
      throw corrupt(lineOffset, expected, value.getNodeType());
    }
    texts.add(value.textValue());
  }

  private CorruptTextException corrupt(long byteOffset, String expected, Object found) {
    return new CorruptTextException(file, line, byteOffset, expected, found);
  }

  @Override
  public void close() throws IOException {
    if (input != null) {
      input.close();
      input = null;
    }
  }
}
