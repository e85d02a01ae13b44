package io.github.pretrain4j.tokenizer.tool;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.Closeable;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Queue;
import org.jspecify.annotations.Nullable;

/**
 * The texts of some files, one after the other: the lines of a text file, or of a {@code .jsonl}
 * file the strings under some keys. A key whose value is a list gives every string of the list; a
 * key that is missing gives nothing. Failures come out of the iterator as {@link
 * UncheckedIOException} around one that names file and line.
 */
final class TextSource implements Iterator<String>, Closeable {
  private static final ObjectMapper JSON = new ObjectMapper();

  private final Queue<Path> files;
  private final List<String> keys;
  private final Queue<String> texts = new ArrayDeque<>();
  private @Nullable BufferedReader reader;
  private Path file = Path.of("");
  private long line;

  TextSource(List<Path> files, List<String> keys) {
    this.files = new ArrayDeque<>(files);
    this.keys = keys;
  }

  @Override
  public boolean hasNext() {
    try {
      boolean more = true;
      while (texts.isEmpty() && more) {
        more = readLine();
      }
    } catch (CharacterCodingException e) {
      throw new UncheckedIOException(
          new IOException(
              file + ": after line " + line + ": expected UTF-8, found other bytes", e));
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
  private boolean readLine() throws IOException {
    if (reader == null) {
      Path next = files.poll();
      if (next == null) {
        return false;
      }
      file = next;
      line = 0;
      reader = Files.newBufferedReader(next, StandardCharsets.UTF_8);
    }
    String text = reader.readLine();
    if (text == null) {
      close();
      return true;
    }
    line++;
    String name = file.toString();
    if (name.endsWith(".jsonl") || name.endsWith(".json")) {
      addValues(text);
    } else {
      texts.add(text);
    }
    return true;
  }

  private void addValues(String text) throws IOException {
    if (text.isBlank()) {
      return;
    }
    JsonNode object;
    try {
      object = JSON.readTree(text);
    } catch (JsonProcessingException e) {
      throw new IOException(
          file + ": line " + line + ": expected a JSON object, found: " + e.getOriginalMessage(),
          e);
    }
    if (!object.isObject()) {
      throw new IOException(
          file + ": line " + line + ": expected a JSON object, found " + object.getNodeType());
    }
    for (String key : keys) {
      JsonNode value = object.get(key);
      if (value != null && value.isArray()) {
        value.forEach(element -> texts.add(element.asText()));
      } else if (value != null && value.isTextual()) {
        texts.add(value.textValue());
      } else if (value != null) {
        throw new IOException(
            file
                + ": line "
                + line
                + ": expected text under \""
                + key
                + "\", found "
                + value.getNodeType());
      }
    }
  }

  @Override
  public void close() throws IOException {
    if (reader != null) {
      reader.close();
      reader = null;
    }
  }
}
