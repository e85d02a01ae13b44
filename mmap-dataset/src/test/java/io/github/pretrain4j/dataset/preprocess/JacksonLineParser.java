package io.github.pretrain4j.dataset.preprocess;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonFactoryBuilder;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.json.JsonReadFeature;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Takes the texts of some keys out of lines of JSON, by the rules of Python's {@code json.loads} on
 * a strictly decoded line: NaN and Infinity are numbers, of a key that occurs twice the last value
 * counts, a byte order mark is an error. A text with half a surrogate pair, which Python lets
 * through to the tokenizer and no tokenizer can encode, is an error here. The oracle of {@link
 * JsonLineScanner}, built on Jackson. Not thread-safe.
 */
final class JacksonLineParser {
  /** Python gives up at about this depth too. */
  private static final int MAX_DEPTH = 1000;

  /** Keys that a message about a missing one lists. */
  private static final int MAX_NAMES = 20;

  private static final JsonFactory JSON =
      new JsonFactoryBuilder()
          .enable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS)
          .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
          .streamReadConstraints(
              StreamReadConstraints.builder()
                  .maxStringLength(Integer.MAX_VALUE)
                  .maxNameLength(Integer.MAX_VALUE)
                  .maxNumberLength(Integer.MAX_VALUE)
                  .maxNestingDepth(MAX_DEPTH)
                  .build())
          .build();

  private final List<String> keys;
  private final List<List<String>> texts = new ArrayList<>();
  private final @Nullable BadLine[] problems;

  JacksonLineParser(List<String> keys) {
    this.keys = keys;
    this.problems = new @Nullable BadLine[keys.size()];
    for (int i = 0; i < keys.size(); i++) {
      texts.add(new ArrayList<>());
    }
  }

  /**
   * Parses the line of bytes {@code from} to {@code to}.
   *
   * @return for each key its texts, until the next call: one for a string, several for an array
   */
  List<List<String>> parse(byte[] bytes, int from, int to) throws BadLine {
    checkBytes(bytes, from, to);
    for (int i = 0; i < problems.length; i++) {
      problems[i] = new BadLine(from, "the key \"" + keys.get(i) + "\"", "", null);
    }
    try (JsonParser parser = JSON.createParser(bytes, from, to - from)) {
      parseObject(parser, from);
    } catch (JsonProcessingException e) {
      long at = e.getLocation() == null ? 0 : Math.max(0, e.getLocation().getByteOffset());
      throw new BadLine((int) Math.min(from + at, to), "a JSON object", e.getOriginalMessage(), e);
    } catch (IOException e) {
      throw new IllegalStateException("parsing an array in memory cannot fail otherwise", e);
    }
    for (BadLine problem : problems) {
      if (problem != null) {
        throw problem.found.isEmpty() ? missing(problem, bytes, from, to) : problem;
      }
    }
    return texts;
  }

  /** The problem of a missing key, with the keys that are there. */
  private static BadLine missing(BadLine problem, byte[] bytes, int from, int to) {
    List<String> names = new ArrayList<>();
    try (JsonParser parser = JSON.createParser(bytes, from, to - from)) {
      parser.nextToken();
      while (parser.nextToken() == JsonToken.FIELD_NAME && names.size() < MAX_NAMES) {
        names.add(parser.currentName());
        parser.nextToken();
        parser.skipChildren();
      }
    } catch (IOException e) {
      throw new IllegalStateException("the line was parsed before", e);
    }
    String found = names.isEmpty() ? "an empty object" : "only " + String.join(", ", names);
    return new BadLine(problem.at, problem.expected, found, null);
  }

  /** What the JSON parser would be too generous with. */
  private static void checkBytes(byte[] bytes, int from, int to) throws BadLine {
    int invalid = Utf8.firstInvalid(bytes, from, to);
    if (invalid >= 0) {
      throw new BadLine(
          invalid, "UTF-8", String.format("the byte 0x%02x", bytes[invalid] & 0xff), null);
    }
    if (to - from >= 3
        && bytes[from] == (byte) 0xef
        && bytes[from + 1] == (byte) 0xbb
        && bytes[from + 2] == (byte) 0xbf) {
      throw new BadLine(from, "a JSON object", "a byte order mark", null);
    }
    // Zeros at the start would make the parser take the line for UTF-16 or UTF-32.
    for (int i = from; i < Math.min(from + 4, to); i++) {
      if (bytes[i] == 0) {
        throw new BadLine(i, "a JSON object", "the byte 0x00", null);
      }
    }
  }

  private void parseObject(JsonParser parser, int from) throws IOException, BadLine {
    JsonToken first = parser.nextToken();
    if (first != JsonToken.START_OBJECT) {
      throw new BadLine(from, "a JSON object", first == null ? "a blank line" : name(first), null);
    }
    while (parser.nextToken() == JsonToken.FIELD_NAME) {
      int key = keys.indexOf(parser.currentName());
      JsonToken value = parser.nextToken();
      if (key < 0) {
        parser.skipChildren();
      } else {
        problems[key] = parseValue(parser, value, from, key);
      }
    }
    JsonToken after = parser.nextToken();
    if (after != null) {
      throw new BadLine(
          place(parser, from), "the end of the line after the object", name(after), null);
    }
  }

  /** Reads a value's texts; what is wrong with it counts only if it is the last of its key. */
  private @Nullable BadLine parseValue(JsonParser parser, JsonToken value, int from, int key)
      throws IOException {
    List<String> found = texts.get(key);
    found.clear();
    if (value == JsonToken.VALUE_STRING) {
      return addText(parser, from, key, found);
    }
    BadLine problem = null;
    if (value == JsonToken.START_ARRAY) {
      for (JsonToken element = parser.nextToken();
          element != JsonToken.END_ARRAY;
          element = parser.nextToken()) {
        BadLine bad =
            element == JsonToken.VALUE_STRING
                ? addText(parser, from, key, found)
                : wrongType(parser, from, key, "an array of strings", element);
        problem = problem == null ? bad : problem;
        parser.skipChildren();
      }
      return problem;
    }
    problem = wrongType(parser, from, key, "a string or an array of strings", value);
    parser.skipChildren();
    return problem;
  }

  private @Nullable BadLine addText(JsonParser parser, int from, int key, List<String> found)
      throws IOException {
    String text = parser.getText();
    found.add(text);
    int lone = firstLoneSurrogate(text);
    return lone < 0
        ? null
        : new BadLine(
            place(parser, from),
            "text in \"" + keys.get(key) + "\"",
            String.format("half a surrogate pair, \\u%04x", (int) text.charAt(lone)),
            null);
  }

  private BadLine wrongType(
      JsonParser parser, int from, int key, String expected, JsonToken token) {
    return new BadLine(
        place(parser, from), expected + " in \"" + keys.get(key) + "\"", name(token), null);
  }

  private static int place(JsonParser parser, int from) {
    return from + (int) Math.max(0, parser.currentTokenLocation().getByteOffset());
  }

  private static String name(JsonToken token) {
    return switch (token) {
      case START_OBJECT, FIELD_NAME, END_OBJECT -> "an object";
      case START_ARRAY, END_ARRAY -> "an array";
      case VALUE_STRING -> "a string";
      case VALUE_NUMBER_INT, VALUE_NUMBER_FLOAT -> "a number";
      case VALUE_TRUE, VALUE_FALSE -> "a boolean";
      case VALUE_NULL -> "null";
      case NOT_AVAILABLE, VALUE_EMBEDDED_OBJECT -> token.toString();
    };
  }

  /** The index of the first surrogate without its partner, or -1 if there is none. */
  private static int firstLoneSurrogate(String text) {
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (Character.isSurrogate(c)) {
        if (Character.isLowSurrogate(c)
            || i + 1 == text.length()
            || !Character.isLowSurrogate(text.charAt(i + 1))) {
          return i;
        }
        i++;
      }
    }
    return -1;
  }
}
