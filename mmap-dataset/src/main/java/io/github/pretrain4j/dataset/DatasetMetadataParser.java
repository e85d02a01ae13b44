package io.github.pretrain4j.dataset;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.core.exc.StreamReadException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Reads a {@code .meta.json}: every field once, nothing else, each with its kind of value. */
final class DatasetMetadataParser {
  private static final Set<String> FIELDS =
      Set.of(
          "format",
          "tool",
          "tokenizer",
          "key",
          "level",
          "append_eod",
          "token_type",
          "documents",
          "sequences",
          "tokens",
          "sources");
  private static final Set<String> TOKENIZER_FIELDS =
      Set.of("type", "name", "sha256", "vocabulary_size", "eod_id");
  private static final Set<String> SOURCE_FIELDS = Set.of("name", "bytes", "sha256", "documents");

  private final Path file;
  private final byte[] bytes;

  DatasetMetadataParser(Path file, byte[] bytes) {
    this.file = file;
    this.bytes = bytes;
  }

  /** The word that stands for a type. */
  static String name(TokenType type) {
    return type.name().toLowerCase(Locale.ROOT);
  }

  DatasetMetadata parse() throws IOException {
    JsonFactory factory =
        JsonFactory.builder()
            .streamReadConstraints(
                StreamReadConstraints.builder().maxStringLength(bytes.length + 1).build())
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .build();
    try (JsonParser json = factory.createParser(bytes)) {
      json.nextToken();
      Map<String, @Nullable Object> fields = object(json, "a JSON object", FIELDS);
      long end = offset(json);
      if (json.nextToken() != null) {
        throw corrupt(offset(json), "content", "the end of the file", json.currentToken());
      }
      return build(fields, end);
    } catch (StreamReadException e) {
      long at = e.getLocation() == null ? 0 : Math.max(0, e.getLocation().getByteOffset());
      throw corrupt(at, "content", "JSON", e.getOriginalMessage());
    }
  }

  private DatasetMetadata build(Map<String, @Nullable Object> fields, long end)
      throws CorruptDatasetException {
    try {
      return new DatasetMetadata(
          text(fields, "tool"),
          (TokenizerIdentity) fields.get("tokenizer"),
          text(fields, "key"),
          text(fields, "level"),
          (Boolean) value(fields, "append_eod"),
          (TokenType) value(fields, "token_type"),
          number(fields, "documents"),
          number(fields, "sequences"),
          number(fields, "tokens"),
          sources(value(fields, "sources")));
    } catch (IllegalArgumentException e) {
      throw corrupt(end, "content", "consistent values", String.valueOf(e.getMessage()));
    }
  }

  private static List<DatasetMetadata.Source> sources(Object list) {
    List<DatasetMetadata.Source> sources = new ArrayList<>();
    for (Object source : (List<?>) list) {
      sources.add((DatasetMetadata.Source) source);
    }
    return sources;
  }

  /** An object with exactly these fields, each value of its kind. */
  private Map<String, @Nullable Object> object(JsonParser json, String expected, Set<String> names)
      throws IOException {
    require(json, JsonToken.START_OBJECT, expected);
    long start = offset(json);
    Map<String, @Nullable Object> fields = new HashMap<>();
    while (json.nextToken() != JsonToken.END_OBJECT) {
      require(json, JsonToken.FIELD_NAME, "a field");
      String name = json.currentName();
      if (!names.contains(name)) {
        throw corrupt(offset(json), "field", "one of this format", '"' + name + '"');
      }
      json.nextToken();
      fields.put(name, value(json, name));
    }
    if (!fields.keySet().equals(names)) {
      Set<String> missing = new HashSet<>(names);
      missing.removeAll(fields.keySet());
      throw corrupt(start, "object", "the field \"" + missing.iterator().next() + '"', "none");
    }
    return fields;
  }

  private @Nullable Object value(JsonParser json, String name) throws IOException {
    boolean isNull = json.currentToken() == JsonToken.VALUE_NULL;
    return switch (name) {
      case "format" -> format(json);
      case "documents", "sequences", "tokens", "bytes" -> number(json);
      case "vocabulary_size" -> integer(json);
      case "eod_id" -> isNull ? null : integer(json);
      case "append_eod" -> truth(json);
      case "token_type" -> tokenType(json);
      case "tokenizer" -> isNull ? null : tokenizer(json);
      case "sources" -> sources(json);
      case "sha256" -> isNull ? null : text(json);
      default -> text(json);
    };
  }

  private long format(JsonParser json) throws IOException {
    long format = number(json);
    if (format != DatasetMetadata.FORMAT) {
      throw corrupt(offset(json), "format", DatasetMetadata.FORMAT, format);
    }
    return format;
  }

  private boolean truth(JsonParser json) throws IOException {
    if (json.currentToken() != JsonToken.VALUE_TRUE) {
      require(json, JsonToken.VALUE_FALSE, "true or false");
    }
    return json.getBooleanValue();
  }

  private List<Object> sources(JsonParser json) throws IOException {
    require(json, JsonToken.START_ARRAY, "an array of sources");
    List<Object> sources = new ArrayList<>();
    while (json.nextToken() != JsonToken.END_ARRAY) {
      sources.add(source(json));
    }
    return sources;
  }

  private TokenizerIdentity tokenizer(JsonParser json) throws IOException {
    Map<String, @Nullable Object> fields = object(json, "a tokenizer", TOKENIZER_FIELDS);
    try {
      return new TokenizerIdentity(
          text(fields, "type"),
          text(fields, "name"),
          (String) fields.get("sha256"),
          (Integer) value(fields, "vocabulary_size"),
          (Integer) fields.get("eod_id"));
    } catch (IllegalArgumentException e) {
      throw corrupt(offset(json), "tokenizer", "a valid one", String.valueOf(e.getMessage()));
    }
  }

  private DatasetMetadata.Source source(JsonParser json) throws IOException {
    Map<String, @Nullable Object> fields = object(json, "a source", SOURCE_FIELDS);
    if (fields.get("sha256") == null) {
      throw corrupt(offset(json), "sha256", "64 hexadecimal digits", "null");
    }
    try {
      return new DatasetMetadata.Source(
          text(fields, "name"),
          number(fields, "bytes"),
          text(fields, "sha256"),
          number(fields, "documents"));
    } catch (IllegalArgumentException e) {
      throw corrupt(offset(json), "source", "a valid one", String.valueOf(e.getMessage()));
    }
  }

  private TokenType tokenType(JsonParser json) throws IOException {
    String word = text(json);
    for (TokenType type : TokenType.values()) {
      if (name(type).equals(word)) {
        return type;
      }
    }
    throw corrupt(offset(json), "token_type", "a token type", '"' + word + '"');
  }

  private String text(JsonParser json) throws IOException {
    require(json, JsonToken.VALUE_STRING, "a text");
    return json.getText();
  }

  private long number(JsonParser json) throws IOException {
    require(json, JsonToken.VALUE_NUMBER_INT, "an integer");
    JsonParser.NumberType type = json.getNumberType();
    if (type == JsonParser.NumberType.BIG_INTEGER) {
      throw corrupt(offset(json), json.currentName(), "a 64-bit integer", json.getText());
    }
    return json.getLongValue();
  }

  private int integer(JsonParser json) throws IOException {
    long value = number(json);
    if (value != (int) value) {
      throw corrupt(offset(json), json.currentName(), "a 32-bit integer", value);
    }
    return (int) value;
  }

  private static Object value(Map<String, @Nullable Object> fields, String name) {
    Object value = fields.get(name);
    if (value == null) {
      throw new IllegalStateException("object() saw the field " + name);
    }
    return value;
  }

  private static String text(Map<String, @Nullable Object> fields, String name) {
    return (String) value(fields, name);
  }

  private static long number(Map<String, @Nullable Object> fields, String name) {
    return (Long) value(fields, name);
  }

  private void require(JsonParser json, JsonToken expected, String what)
      throws CorruptDatasetException {
    JsonToken found = json.currentToken();
    if (found != expected) {
      throw corrupt(offset(json), "value", what, found == null ? "the end" : found.toString());
    }
  }

  private static long offset(JsonParser json) {
    return Math.max(0, json.currentTokenLocation().getByteOffset());
  }

  private CorruptDatasetException corrupt(
      long byteOffset, String what, Object expected, Object found) {
    return new CorruptDatasetException(file, byteOffset, what, expected, found);
  }
}
